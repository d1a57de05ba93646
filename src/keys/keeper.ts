/**
 * Keeps one small collection of the store as its schedule says, together with any number of other
 * replicas: reads it, does what is due with expectations, reads again. Whoever comes second takes
 * what the first one wrote.
 *
 * While the store is away the last state stays, and nothing is done. What cannot be read as a whole
 * (another key-encryption key, another version) changes nothing either: acting on half of it would
 * make keys in the place of those that only this replica cannot see. Only what an operator asks for
 * in an emergency may take out documents that nobody can read.
 */
import { SallyportError } from "../model/errors.ts";
import type { Clock, Log, LogFields, Timers } from "../model/ports.ts";
import type { Collection, Store, StoredDocument, Write } from "../model/store.ts";
import { StoreTime } from "./store-time.ts";

const LIMITS = {
  /** Documents of a collection that is kept; a schedule leaves some dozens. */
  documents: 10_000,
  /** How often a conflict is answered by reading again, before the next round. Each means that another replica got on. */
  attempts: 10,
  /** Between two readings: what a store cannot announce (a pooler in between) is seen after so long. */
  pollMs: 30_000,
  /** After a failure, doubled up to `pollMs`. */
  retryMs: 500,
} as const;

export interface KeeperDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** From 0 to 1, for jitter; `Math.random` when left out. */
  readonly random?: (() => number) | undefined;
}

/** A document that does not open or is not as this version writes it. */
export interface Unreadable {
  readonly id: string;
  readonly number: number;
}

export interface Reading<T> {
  /** Of those that can be read. */
  readonly state: T;
  readonly unreadable: readonly Unreadable[];
  /** Why the first of them cannot be read. */
  readonly fault: SallyportError | undefined;
}

/** Undefined: it cannot be done while there are such documents. */
export type Plan<T> = (
  state: T,
  nowMs: number,
  unreadable: readonly Unreadable[],
) => readonly Write[] | undefined;

export interface KeeperSpec<T> {
  readonly collection: Collection;
  /** Before anything was read. */
  readonly empty: T;
  /** Called before each reading: what else of the store the plan goes by. Rejects as the store does. */
  look?(): Promise<void>;
  /** What the documents say. */
  read(documents: readonly StoredDocument[]): Reading<T>;
  /** What is due. `steady` false: the time is in doubt; only what cannot wait. */
  plan(state: T, at: { readonly nowMs: number; readonly steady: boolean }): readonly Write[];
  /** The next moment at which something is due or looks different. */
  dueMs(state: T, nowMs: number): number;
  /** Called after each reading and at each moment that was due. */
  looked(): void;
  /** A round did not succeed, for this reason: for metrics. Gives what else the log should say. */
  failed(reason: string): LogFields;
}

export interface Keeper<T> {
  /** Rejects with SallyportError where the first reading fails. */
  start(): Promise<void>;
  /** As last read. */
  readonly state: T;
  /** The time that the schedule goes by. */
  now(): number;
  /** Commits what `plan` asks for, planned anew on each conflict. Nothing: there is nothing to do any more. Rejects as the store does. */
  act(plan: Plan<T>): Promise<void>;
  close(): Promise<void>;
}

export function createKeeper<T extends object>(spec: KeeperSpec<T>, deps: KeeperDeps): Keeper<T> {
  return new CollectionKeeper(spec, deps);
}

class CollectionKeeper<T extends object> implements Keeper<T> {
  readonly #spec: KeeperSpec<T>;
  readonly #deps: KeeperDeps;
  readonly #time: StoreTime;
  #state: T;
  /** The store's epoch and number when it was read. */
  #readAt: string | undefined;
  #failures = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #looking = false;
  #again = false;
  #closed = false;
  #endTimer: () => void = () => undefined;
  #endWatch: () => void = () => undefined;

  constructor(spec: KeeperSpec<T>, deps: KeeperDeps) {
    this.#spec = spec;
    this.#deps = deps;
    this.#state = spec.empty;
    this.#time = new StoreTime(deps.clock);
  }

  async start(): Promise<void> {
    await this.#enqueue(() => this.#settle());
    if (this.#closed) return;
    this.#endWatch = this.#deps.store.watch(() => this.#look());
    this.#spec.looked();
    this.#sleep();
  }

  get state(): T {
    return this.#state;
  }

  now(): number {
    return this.#time.now();
  }

  async act(plan: Plan<T>): Promise<void> {
    await this.#enqueue(() => this.#commit(plan));
    this.#spec.looked();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endWatch();
    this.#endTimer();
    await this.#queue;
  }

  /** One at a time, in order; a failure stops nobody behind it. */
  #enqueue<R>(run: () => Promise<R>): Promise<R> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** A round of what is due; a call while one runs is one more round after it. */
  #look(): void {
    if (this.#closed) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    this.#endTimer();
    void this.#enqueue(() => this.#round()).finally(() => {
      this.#looking = false;
      if (this.#closed) return;
      this.#spec.looked();
      if (this.#again) {
        this.#again = false;
        this.#look();
      } else this.#sleep();
    });
  }

  async #round(): Promise<void> {
    try {
      await this.#settle();
      if (this.#failures > 0) {
        this.#deps.log.info("keys are kept again", { collection: this.#spec.collection });
      }
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    const reason = error instanceof SallyportError ? error.code : "unexpected";
    const fields = this.#spec.failed(reason);
    // The first, and then ever fewer.
    if (!Number.isInteger(Math.log2(this.#failures))) return;
    this.#deps.log.warn("keys cannot be kept now; those at hand are used on", {
      collection: this.#spec.collection,
      ...fields,
      failures: this.#failures,
      error: error instanceof Error ? error : new Error(String(error)),
    });
  }

  /** Until nothing is due. */
  async #settle(): Promise<void> {
    const due: Plan<T> = (state, nowMs, { length }) =>
      length > 0 ? undefined : this.#spec.plan(state, { nowMs, steady: this.#time.steady });
    for (let round = 0; round < LIMITS.attempts && !this.#closed; round++) {
      // oxlint-disable-next-line no-await-in-loop -- each begins with what the last one left
      if (!(await this.#commit(due))) return;
    }
  }

  /** Whether something was committed; the state is read again then. */
  async #commit(plan: Plan<T>): Promise<boolean> {
    for (let attempt = 0; attempt < LIMITS.attempts; attempt++) {
      // oxlint-disable-next-line no-await-in-loop -- each begins with what met the last one
      const { state, unreadable, fault } = await this.#read();
      const writes = plan(state, this.#time.now(), unreadable);
      if (writes === undefined) throw fault ?? new TypeError("a plan that is none");
      if (writes.length === 0) return false;
      // oxlint-disable-next-line no-await-in-loop -- see above
      const { conflict } = await this.#deps.store.commit(writes);
      if (conflict !== undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- the last one
      const { fault: left } = await this.#read();
      if (left !== undefined) throw left;
      return true;
    }
    throw new SallyportError("store-unavailable", "others change the same keys all the time");
  }

  /** What can be read whole is the state from then on. */
  async #read(): Promise<Reading<T>> {
    const { store } = this.#deps;
    await this.#spec.look?.();
    const epoch = await store.epoch();
    const { number } = await this.#time.ask(() => store.now());
    const readAt = `${epoch} ${number}`;
    if (this.#readAt === readAt) {
      return { state: this.#state, unreadable: [], fault: undefined };
    }
    const documents = await store.list(this.#spec.collection, { limit: LIMITS.documents });
    if (documents.length === LIMITS.documents) {
      throw new SallyportError("store-failed", `too many documents in ${this.#spec.collection}`);
    }
    const reading = this.#spec.read(documents);
    if (reading.fault !== undefined) return reading;
    // `number` was before the list, so what came between is read again rather than missed.
    this.#readAt = readAt;
    this.#state = reading.state;
    return reading;
  }

  #sleep(): void {
    const { timers, random = Math.random } = this.#deps;
    const patience =
      this.#failures === 0
        ? LIMITS.pollMs
        : Math.min(LIMITS.pollMs, LIMITS.retryMs * 2 ** Math.min(this.#failures, 10));
    // Half of it is jitter: replicas that were started together do not stay together.
    const pauseMs = patience * (0.5 + random() / 2);
    const dueMs = this.#spec.dueMs(this.#state, this.now()) - this.now();
    const wait = this.#failures === 0 ? Math.min(pauseMs, Math.max(dueMs, 1)) : pauseMs;
    this.#endTimer();
    this.#endTimer = timers.after(wait, () => this.#look());
  }
}

/**
 * Replicas of signing keys over one store, in simulated time: clocks that are wrong, a store that
 * answers late, is away for some, and tells of changes late or never. What each replica signed with
 * and what it published is kept, to be judged afterwards.
 */
import { setImmediate as turn } from "node:timers/promises";
import { createKeyManager, type KeyManager } from "../../src/keys/key-manager.ts";
import type { KeyOptions } from "../../src/keys/key-policy.ts";
import { signJws } from "../../src/crypto/sign-jws.ts";
import { SallyportError } from "../../src/model/errors.ts";
import type { JsonObject } from "../../src/model/json.ts";
import type { Clock } from "../../src/model/ports.ts";
import type { Store } from "../../src/model/store.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createMemoryStore, type MemoryStore } from "../store/memory.ts";
import { KeptLog, START, testSealer } from "./kit.ts";

export interface Outage {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface ReplicaPlan {
  /** Its wall clock less the true time. */
  readonly skewMs: number;
  /** Its monotonic clock gains so many parts in a million. */
  readonly driftPpm: number;
  /** Each answer of the store takes up to so long. */
  readonly latencyMs: number;
  /** What the store tells comes up to so late; undefined: never. */
  readonly noticeMs: number | undefined;
  /** When it does not reach the store. */
  readonly outages: readonly Outage[];
}

export interface Signature {
  readonly atMs: number;
  readonly replica: number;
  readonly kid: string;
  /** What was signed; of a few, since it costs the most. */
  readonly token: string | undefined;
}

/** What a replica published, and the true time of its last look at the store: as old as that is what a follower has from it. */
export interface Sample {
  readonly asOfMs: number;
  readonly replica: number;
  /** Public keys by name. */
  readonly keys: ReadonlyMap<string, JsonObject>;
}

interface Running {
  readonly plan: ReplicaPlan;
  readonly keys: KeyManager;
  /** True time of the beginning of the last look at the store that succeeded. */
  contactMs: number;
}

/** Whether a key that is there verifies is asked of one signature in so many. */
const ONE_TOKEN_IN = 8;

/** Times are milliseconds from the start of the simulation. */
export class Simulation {
  readonly signatures: Signature[] = [];
  readonly samples: Sample[] = [];
  /** Signatures that were refused for want of a key. */
  refused = 0;
  readonly replicas: Running[] = [];
  readonly store: MemoryStore;
  #nowMs = 0;
  /** In the order of their times, and for equal times in that of their making. */
  readonly #events: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = mulberry32(seed);
    this.store = createMemoryStore({ now: () => START + Math.floor(this.#nowMs) });
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Starts them all at once; each signs as soon as it can. */
  async start(plans: readonly ReplicaPlan[], options: KeyOptions): Promise<void> {
    const started = plans.map(async (plan) => {
      const replica = this.#make(plan, options);
      await replica.keys.start();
      this.#sign(this.replicas.indexOf(replica), replica);
    });
    await this.#until(Promise.all(started));
  }

  #make(plan: ReplicaPlan, options: KeyOptions): Running {
    const clock: Clock = {
      now: () => START + this.#nowMs + plan.skewMs,
      monotonic: () => this.#nowMs * (1 + plan.driftPpm / 1e6),
    };
    const keys = createKeyManager(options, {
      store: this.#storeOf(this.replicas.length, plan),
      sealer: testSealer(),
      clock,
      timers: { after: (ms, run) => this.#after(ms, run) },
      log: new KeptLog(),
      metrics: createMetrics(),
      random: this.#random,
    });
    const made = { plan, keys, contactMs: -Infinity };
    this.replicas.push(made);
    return made;
  }

  /** Lets time pass; each replica signs and is looked at once a minute. */
  async run(untilMs: number, everyMs = 60_000): Promise<void> {
    const step = (): void => {
      this.#look();
      if (this.#nowMs + everyMs <= untilMs) this.#after(everyMs, step);
    };
    this.#after(everyMs, step);
    while ((this.#events[0]?.atMs ?? Infinity) <= untilMs) await this.#next();
    this.#nowMs = untilMs;
  }

  /** Asks for something that takes simulated time, and waits for it. */
  async ask(run: () => Promise<void>): Promise<void> {
    await this.#until(run());
  }

  async #until<T>(work: Promise<T>): Promise<T> {
    const state = { settled: false };
    const watched = work.finally(() => (state.settled = true));
    watched.catch(() => undefined);
    await turn();
    while (!state.settled) await this.#next();
    return await watched;
  }

  #look(): void {
    for (const [replica, running] of this.replicas.entries()) {
      const { keys, contactMs } = running;
      const shown = keys.published().filter(({ use }) => use === "tokens");
      const published = new Map(shown.map(({ kid, jwk }) => [kid, jwk]));
      this.samples.push({ asOfMs: contactMs, replica, keys: published });
      this.#sign(replica, running);
    }
  }

  #sign(replica: number, { keys }: Running): void {
    try {
      const signer = keys.signer("tokens");
      const { length } = this.signatures;
      const token =
        length % ONE_TOKEN_IN === 0 ? signJws(signer, { typ: "x" }, { length }) : undefined;
      this.signatures.push({ atMs: this.#nowMs, replica, kid: signer.kid, token });
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      this.refused += 1;
    }
  }

  #after(ms: number, run: () => void): () => void {
    const event = { atMs: this.#nowMs + ms, run };
    const at = this.#events.findLastIndex((other) => other.atMs <= event.atMs) + 1;
    this.#events.splice(at, 0, event);
    return () => {
      const found = this.#events.indexOf(event);
      if (found !== -1) this.#events.splice(found, 1);
    };
  }

  /** One event, and everything that follows from it at the same moment. */
  async #next(): Promise<void> {
    const event = this.#events.shift();
    if (event !== undefined) {
      this.#nowMs = event.atMs;
      event.run();
    }
    await turn();
  }

  #storeOf(index: number, plan: ReplicaPlan): Store {
    const { store } = this;
    let listed = -1;
    let begun = 0;
    const wait = (): Promise<void> =>
      new Promise((resolve) => this.#after(this.#random() * plan.latencyMs, resolve));
    /** The way there and the way back take their time; either may find the store away. */
    const reach = async <T>(ask: () => Promise<T>): Promise<T> => {
      await wait();
      this.#refuseWhileAway(plan);
      const answer = await ask();
      await wait();
      this.#refuseWhileAway(plan);
      return answer;
    };
    const contact = (): void => {
      const replica = this.replicas[index];
      if (replica !== undefined) replica.contactMs = begun;
    };
    let number = -1;
    return {
      epoch: () => reach(() => store.epoch()),
      get: (collection, id) => reach(() => store.get(collection, id)),
      changes: (since, limit) => reach(() => store.changes(since, limit)),
      commit: (writes) => reach(() => store.commit(writes)),
      purge: (keepMs) => reach(() => store.purge(keepMs)),
      close: () => Promise.resolve(),
      async list(collection, options) {
        const documents = await reach(() => store.list(collection, options));
        listed = number;
        // What was listed is taken in before the next event.
        contact();
        return documents;
      },
      now: async () => {
        const from = this.#nowMs;
        const answer = await reach(() => store.now());
        begun = from;
        ({ number } = answer);
        if (number === listed) contact();
        return answer;
      },
      watch: (changed) => {
        const { noticeMs } = plan;
        if (noticeMs === undefined) return () => undefined;
        return store.watch(() => {
          if (!isAway(plan, this.#nowMs)) this.#after(this.#random() * noticeMs, changed);
        });
      },
    };
  }

  #refuseWhileAway(plan: ReplicaPlan): void {
    if (isAway(plan, this.#nowMs)) throw new SallyportError("store-unavailable", "out of reach");
  }
}

function isAway({ outages }: ReplicaPlan, nowMs: number): boolean {
  return outages.some(({ fromMs, untilMs }) => nowMs >= fromMs && nowMs < untilMs);
}

/** A small generator of numbers from 0 to 1 that a seed repeats. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

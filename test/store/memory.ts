/**
 * The store's contract (`src/model/store.ts`) in memory, whole and small: for tests of what stands on
 * a store. It passes the suite of the real engines, so a test on it means something for them.
 */
import { randomBytes } from "node:crypto";
import { SallyportError } from "../../src/model/errors.ts";
import { parseJson, type JsonObject } from "../../src/model/json.ts";
import type { Clock } from "../../src/model/ports.ts";
import type {
  Changes,
  Collection,
  Commit,
  Store,
  StoredDocument,
  Write,
} from "../../src/model/store.ts";
import { ABSENT, checkLimit, checkWrites } from "../../src/store/writes.ts";

export interface MemoryStore extends Store {
  /** While true every verb of every handle rejects with `store-unavailable`. */
  away: boolean;
  /** As a restore does. */
  renewEpoch(): void;
  /** One more handle of the same state. */
  open(): MemoryStore;
}

/** `clock` is the store's own. */
export function createMemoryStore(clock: Pick<Clock, "now">): MemoryStore {
  return new Handle(new State(clock));
}

class State {
  readonly clock: Pick<Clock, "now">;
  epoch = randomBytes(16).toString("base64url");
  /** Removed ones too, until their removal is forgotten. */
  readonly documents = new Map<string, StoredDocument>();
  readonly watchers = new Set<{ readonly changed: () => void }>();
  number = 0;
  /** Removals up to here are forgotten. */
  forgotten = 0;
  away = false;

  constructor(clock: Pick<Clock, "now">) {
    this.clock = clock;
  }

  /** As readers see it: what has expired is removed. */
  seen(document: StoredDocument): StoredDocument {
    const { expiresMs } = document;
    const expired = expiresMs !== undefined && expiresMs <= this.clock.now();
    return expired ? { ...document, body: undefined, expiresMs: undefined } : document;
  }

  live(collection: Collection, id: string): StoredDocument | undefined {
    const found = this.documents.get(`${collection}/${id}`);
    return found === undefined || this.seen(found).body === undefined ? undefined : found;
  }

  commit(writes: readonly Write[]): Commit {
    const checked = checkWrites(writes);
    for (const { collection, id, expect } of checked) {
      const found = this.live(collection, id)?.number ?? ABSENT;
      if (expect !== null && found !== expect) return { conflict: { collection, id } };
    }
    const number = ++this.number;
    const timeMs = this.clock.now();
    for (const { collection, id, body: text, expiresMs } of checked) {
      const body = text === null ? undefined : (parseJson(text) as JsonObject);
      const document = { collection, id, body, number, timeMs, expiresMs: expiresMs ?? undefined };
      this.documents.set(`${collection}/${id}`, document);
    }
    for (const { changed } of this.watchers) {
      queueMicrotask(() => {
        try {
          changed();
        } catch {
          // One that fails disturbs nobody.
        }
      });
    }
    return { number, timeMs };
  }
}

class Handle implements MemoryStore {
  readonly #state: State;
  readonly #watching = new Set<() => void>();
  #closed = false;

  constructor(state: State) {
    this.#state = state;
  }

  get away(): boolean {
    return this.#state.away;
  }

  set away(value: boolean) {
    this.#state.away = value;
  }

  renewEpoch(): void {
    this.#state.epoch = randomBytes(16).toString("base64url");
  }

  open(): MemoryStore {
    return new Handle(this.#state);
  }

  async epoch(): Promise<string> {
    await this.#reach();
    return this.#state.epoch;
  }

  async get(collection: Collection, id: string): Promise<StoredDocument | undefined> {
    await this.#reach();
    return this.#state.live(collection, id);
  }

  async list(
    collection: Collection,
    { after, limit }: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly StoredDocument[]> {
    checkLimit(limit);
    await this.#reach();
    return [...this.#state.documents.values()]
      .filter((one) => one.collection === collection && this.#state.seen(one).body !== undefined)
      .filter(({ id }) => after === undefined || byCodePoints(id, after) > 0)
      .toSorted((a, b) => byCodePoints(a.id, b.id))
      .slice(0, limit);
  }

  async changes(since: number, limit: number): Promise<Changes> {
    checkLimit(limit);
    await this.#reach();
    const { documents, number, forgotten } = this.#state;
    // Who knows nothing misses no removal.
    if (since > number || (since > 0 && since < forgotten)) {
      return { documents: [], upTo: since, more: false, gap: true };
    }
    const newer = [...documents.values()]
      .filter((one) => one.number > since)
      .toSorted((a, b) => a.number - b.number || byCodePoints(a.id, b.id));
    const last = newer[limit - 1]?.number ?? number;
    const found = newer.filter((one) => one.number <= last);
    const more = found.length < newer.length;
    return {
      documents: found.map((one) => this.#state.seen(one)),
      upTo: more ? last : number,
      more,
      gap: false,
    };
  }

  async now(): Promise<{ readonly number: number; readonly timeMs: number }> {
    await this.#reach();
    return { number: this.#state.number, timeMs: this.#state.clock.now() };
  }

  async commit(writes: readonly Write[]): Promise<Commit> {
    checkWrites(writes);
    await this.#reach();
    return this.#state.commit(writes);
  }

  watch(changed: () => void): () => void {
    const entry = {
      // A call that is on its way when the watch ends does not come any more.
      changed: () => {
        if (this.#state.watchers.has(entry)) changed();
      },
    };
    const end = (): void => {
      this.#state.watchers.delete(entry);
      this.#watching.delete(end);
    };
    this.#state.watchers.add(entry);
    this.#watching.add(end);
    return end;
  }

  async purge(keepRemovalsMs: number): Promise<number> {
    await this.#reach();
    const state = this.#state;
    const { documents } = state;
    let purged = 0;
    for (const [key, one] of documents) {
      const seen = state.seen(one);
      if (seen === one) continue;
      documents.set(key, seen);
      purged += 1;
    }
    const before = state.clock.now() - keepRemovalsMs;
    for (const [key, one] of documents) {
      if (one.body !== undefined || one.timeMs >= before) continue;
      documents.delete(key);
      state.forgotten = Math.max(state.forgotten, one.number);
    }
    return purged;
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#watching) end();
    return Promise.resolve();
  }

  /** Never answers within the call, as no real store does. */
  async #reach(): Promise<void> {
    await Promise.resolve();
    if (this.#state.away || this.#closed) {
      throw new SallyportError("store-unavailable", "the store in memory is away");
    }
  }
}

/** As both engines sort: by UTF-8. */
function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

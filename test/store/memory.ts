/**
 * The store's contract (`src/model/store.ts`) in memory, whole and small: for tests of what stands on
 * a store. It passes the suite of the real engines, so a test on it means something for them.
 */
import { randomUUID } from "node:crypto";
import { SallyportError } from "../../src/model/errors.ts";
import type { Clock } from "../../src/model/ports.ts";
import type {
  Changes,
  Collection,
  Commit,
  Store,
  StoredDocument,
  Write,
} from "../../src/model/store.ts";

export interface MemoryStore extends Store {
  /** While true every verb rejects with `store-unavailable`. */
  away: boolean;
}

const LIMITS = { list: 10_000, writes: 1000 } as const;

/** `clock` is the store's own. */
export function createMemoryStore(clock: Pick<Clock, "now">): MemoryStore {
  return new InMemory(clock);
}

class InMemory implements MemoryStore {
  away = false;
  readonly #clock: Pick<Clock, "now">;
  readonly #epoch = randomUUID();
  /** Removed ones too, until their removal is forgotten. */
  readonly #documents = new Map<string, StoredDocument>();
  readonly #watchers = new Set<() => void>();
  #number = 0;
  /** Removals up to here are forgotten. */
  #forgotten = 0;
  #closed = false;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  async epoch(): Promise<string> {
    await this.#reach();
    return this.#epoch;
  }

  async get(collection: Collection, id: string): Promise<StoredDocument | undefined> {
    await this.#reach();
    return this.#live(collection, id);
  }

  async list(
    collection: Collection,
    options: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly StoredDocument[]> {
    await this.#reach();
    const { after, limit } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMITS.list) {
      throw new RangeError(`limit is from 1 to ${LIMITS.list}`);
    }
    return [...this.#documents.values()]
      .filter((one) => one.collection === collection && this.#live(collection, one.id) === one)
      .filter(({ id }) => after === undefined || id > after)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit);
  }

  async changes(since: number, limit: number): Promise<Changes> {
    await this.#reach();
    if (since < this.#forgotten || since > this.#number) {
      return { documents: [], upTo: this.#number, more: false, gap: true };
    }
    const newer = [...this.#documents.values()]
      .filter(({ number }) => number > since)
      .toSorted((a, b) => a.number - b.number);
    const last = newer[Math.max(limit, 1) - 1]?.number ?? this.#number;
    const documents = newer.filter(({ number }) => number <= last);
    const more = documents.length < newer.length;
    return { documents, upTo: more ? last : this.#number, more, gap: false };
  }

  async now(): Promise<{ readonly number: number; readonly timeMs: number }> {
    await this.#reach();
    return { number: this.#number, timeMs: this.#clock.now() };
  }

  async commit(writes: readonly Write[]): Promise<Commit> {
    await this.#reach();
    if (writes.length < 1 || writes.length > LIMITS.writes) {
      throw new RangeError(`a commit has 1 to ${LIMITS.writes} writes`);
    }
    for (const { collection, id, expect } of writes) {
      if (expect === undefined) continue;
      const found = this.#live(collection, id)?.number ?? "absent";
      if (found !== expect) return { conflict: { collection, id } };
    }
    const number = ++this.#number;
    const timeMs = this.#clock.now();
    for (const { collection, id, body, expiresMs } of writes) {
      const copy = body === undefined ? undefined : structuredClone(body);
      const document = { collection, id, body: copy, number, timeMs, expiresMs };
      this.#documents.set(`${collection}/${id}`, document);
    }
    for (const watcher of this.#watchers) queueMicrotask(watcher);
    return { number, timeMs };
  }

  watch(changed: () => void): () => void {
    // One of its own, so that ending one watch ends no other of the same function.
    const watcher = (): void => {
      if (this.#watchers.has(watcher)) changed();
    };
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  async purge(keepRemovalsMs: number): Promise<number> {
    await this.#reach();
    const now = this.#clock.now();
    const expired = [...this.#documents.values()].filter(
      (one) => one.body !== undefined && one.expiresMs !== undefined && one.expiresMs <= now,
    );
    if (expired.length > 0) {
      const writes = expired.map(({ collection, id }) => ({ collection, id, body: undefined }));
      for (let at = 0; at < writes.length; at += LIMITS.writes) {
        // oxlint-disable-next-line no-await-in-loop -- commits have an order
        await this.commit(writes.slice(at, at + LIMITS.writes));
      }
    }
    for (const [key, one] of this.#documents) {
      if (one.body !== undefined || one.timeMs > now - keepRemovalsMs) continue;
      this.#documents.delete(key);
      this.#forgotten = Math.max(this.#forgotten, one.number);
    }
    return expired.length;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#watchers.clear();
    return Promise.resolve();
  }

  #live(collection: Collection, id: string): StoredDocument | undefined {
    const found = this.#documents.get(`${collection}/${id}`);
    if (found?.body === undefined) return undefined;
    const { expiresMs } = found;
    return expiresMs !== undefined && expiresMs <= this.#clock.now() ? undefined : found;
  }

  /** Never answers within the call, as no real store does. */
  async #reach(): Promise<void> {
    await Promise.resolve();
    if (this.away || this.#closed) {
      throw new SallyportError("store-unavailable", "the store in memory is away");
    }
  }
}

/**
 * State in one SQLite file, for one machine: any number of processes share it, and a commit is on
 * the disk before it is told. All of SQLite is in a thread of its own, so that no commit holds up a
 * request.
 */
import { SallyportError } from "../model/errors.ts";
import type { Changes, Collection, Commit, StoredDocument, Write } from "../model/store.ts";
import { changesOf, documentOf } from "./rows.ts";
import type { SqliteResult, SqliteTask, SqliteThreadData, SqliteVerb } from "./sqlite-tasks.ts";
import { SqliteThread } from "./sqlite-thread.ts";
import type { OpenStore, StoreDeps, StoreFigures } from "./store-deps.ts";
import { Watchers } from "./watchers.ts";
import { checkKey, checkLimit, checkWrites } from "./writes.ts";

const LIMITS = {
  /** Milliseconds between looks for the commits of other processes: one reads a counter in memory. */
  look: 100,
} as const;

/** Throws SallyportError `store-unavailable` or `store-failed`. */
export async function openSqliteStore(data: SqliteThreadData, deps: StoreDeps): Promise<OpenStore> {
  const store = new SqliteStore(data, deps);
  try {
    await store.epoch();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class SqliteStore implements OpenStore {
  readonly #deps: StoreDeps;
  readonly #thread: SqliteThread;
  readonly #watchers: Watchers;
  #callOff: (() => void) | undefined;

  constructor(data: SqliteThreadData, deps: StoreDeps) {
    this.#deps = deps;
    this.#thread = new SqliteThread(data, deps);
    this.#watchers = new Watchers(deps.log);
  }

  async epoch(): Promise<string> {
    return await this.#ask("epoch", {});
  }

  async get(collection: Collection, id: string): Promise<StoredDocument | undefined> {
    checkKey(collection, id);
    const row = await this.#ask("get", { collection, id, nowMs: this.#nowMs });
    return row === undefined ? undefined : documentOf(row);
  }

  async list(
    collection: Collection,
    { after = "", limit }: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly StoredDocument[]> {
    checkLimit(limit);
    const nowMs = this.#nowMs;
    return (await this.#ask("list", { collection, after, limit, nowMs })).map(documentOf);
  }

  async changes(since: number, limit: number): Promise<Changes> {
    checkLimit(limit);
    return changesOf(await this.#ask("changes", { since, limit, nowMs: this.#nowMs }));
  }

  async now(): Promise<{ readonly number: number; readonly timeMs: number }> {
    return await this.#ask("now", { nowMs: this.#nowMs });
  }

  async commit(writes: readonly Write[]): Promise<Commit> {
    const checked = checkWrites(writes);
    const commit = await this.#ask("commit", { writes: checked, nowMs: this.#nowMs });
    if (commit.conflict === undefined) this.#watchers.notify();
    return commit;
  }

  watch(changed: () => void): () => void {
    const forget = this.#watchers.add(changed);
    this.#callOff ??= this.#lookLater();
    return forget;
  }

  async purge(keepRemovalsMs: number): Promise<number> {
    let sum = 0;
    for (;;) {
      const { removed, more } = await this.#ask("purge", { nowMs: this.#nowMs, keepRemovalsMs });
      sum += removed;
      if (!more) return sum;
    }
  }

  async figures(): Promise<StoreFigures> {
    return await this.#ask("figures", { nowMs: this.#nowMs });
  }

  async renewEpoch(): Promise<string> {
    const epoch = await this.#ask("renewEpoch", {});
    this.#watchers.notify();
    return epoch;
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#callOff?.();
    await this.#thread.close();
  }

  get #nowMs(): number {
    return Math.floor(this.#deps.clock.now());
  }

  async #ask<V extends SqliteVerb>(verb: V, task: SqliteTask<V>): Promise<SqliteResult<V>> {
    return await this.#thread.ask(verb, task);
  }

  #lookLater(): () => void {
    return this.#deps.timers.after(LIMITS.look, () => {
      this.#callOff = undefined;
      void this.#look();
    });
  }

  /** Goes on while somebody watches; what cannot be read now has moved once it can. */
  async #look(): Promise<void> {
    if (this.#watchers.size === 0) return;
    try {
      if (await this.#ask("moved", {})) this.#watchers.notify();
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      this.#deps.log.debug("store: looking for commits failed", { error });
    }
    if (this.#watchers.size > 0) this.#callOff ??= this.#lookLater();
  }
}

/**
 * State in Postgres, for several machines. Every verb is one statement, or one transaction that holds
 * the counter's row; none waits longer than a few seconds, and what is away heals by itself.
 */
import { SallyportError } from "../model/errors.ts";
import type { Changes, Collection, Commit, StoredDocument, Write } from "../model/store.ts";
import { newEpoch } from "./epoch.ts";
import {
  PostgresPool,
  type SqlConnection,
  type SqlRow,
  type Statement,
} from "./postgres-client.ts";
import { migratePostgres } from "./postgres-migrations.ts";
import { PostgresNotices } from "./postgres-notices.ts";
import type { PostgresOptions } from "./postgres-options.ts";
import * as statements from "./postgres-statements.ts";
import { STORE_LIMITS } from "./limits.ts";
import { changesOf, documentOf, type Row } from "./rows.ts";
import type { OpenStore, StoreDeps, StoreFigures } from "./store-deps.ts";
import { Watchers } from "./watchers.ts";
import { ABSENT, checkKey, checkLimit, checkWrites, type CheckedWrite } from "./writes.ts";

/** Throws SallyportError `store-unavailable` or `store-failed`. */
export async function openPostgresStore(
  options: PostgresOptions,
  deps: StoreDeps,
  { existing }: { readonly existing: boolean },
): Promise<OpenStore> {
  if (options.insecure !== undefined) {
    deps.log.warn("store: INSECURE connection to Postgres", {
      host: options.host,
      why: options.insecure,
    });
  }
  const pool = new PostgresPool(options, deps);
  try {
    const schema = await migratePostgres(pool, { upgrade: !existing });
    return new PostgresStore(pool, schema, deps);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

class PostgresStore implements OpenStore {
  readonly #pool: PostgresPool;
  readonly #schema: number;
  readonly #watchers: Watchers;
  readonly #notices: PostgresNotices;

  constructor(pool: PostgresPool, schema: number, deps: StoreDeps) {
    this.#pool = pool;
    this.#schema = schema;
    this.#watchers = new Watchers(deps.log);
    this.#notices = new PostgresNotices(pool, deps, () => this.#watchers.notify());
  }

  async epoch(): Promise<string> {
    const row = only(await this.#read(statements.EPOCH));
    return String(row[0]);
  }

  async get(collection: Collection, id: string): Promise<StoredDocument | undefined> {
    checkKey(collection, id);
    const [row] = await this.#read({ ...statements.GET, values: [collection, id] });
    return row === undefined ? undefined : documentOf(row as unknown as Row);
  }

  async list(
    collection: Collection,
    { after = "", limit }: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly StoredDocument[]> {
    checkLimit(limit);
    const rows = await this.#page({ ...statements.LIST, values: [collection, after, limit] });
    return (rows as unknown as readonly Row[]).map(documentOf);
  }

  async changes(since: number, limit: number): Promise<Changes> {
    checkLimit(limit);
    const rows = await this.#page({ ...statements.CHANGES, values: [since, limit] });
    const [number, forgotten, last] = only(rows) as unknown as [number, number, number];
    // A number that was never given out comes from another life of this database.
    if (since > number || (since > 0 && since < forgotten)) {
      return { documents: [], upTo: since, more: false, gap: true };
    }
    const found = rows
      .map((row) => row.slice(3) as unknown as Row)
      .filter(([name]) => name !== null);
    return changesOf({ rows: found, upTo: last, more: last < number, gap: false });
  }

  async now(): Promise<{ readonly number: number; readonly timeMs: number }> {
    const [number, timeMs] = only(await this.#read(statements.NOW)) as unknown as [number, number];
    return { number, timeMs };
  }

  async commit(writes: readonly Write[]): Promise<Commit> {
    const checked = checkWrites(writes);
    const commit = await this.#transaction((sql) => write(sql, checked));
    if (commit.conflict === undefined) this.#watchers.notify();
    return commit;
  }

  watch(changed: () => void): () => void {
    const forget = this.#watchers.add(changed);
    this.#notices.start();
    return () => {
      forget();
      if (this.#watchers.size === 0) this.#notices.stop();
    };
  }

  async purge(keepRemovalsMs: number): Promise<number> {
    let sum = 0;
    for (;;) {
      const [removed, forgotten] = await this.#transaction(async (sql) => {
        const expired = only(await sql.query(statements.EXPIRE));
        const gone = only(await sql.query({ ...statements.FORGET, values: [keepRemovalsMs] }));
        return [Number(expired[0]), Number(gone[0])] as const;
      });
      sum += removed;
      if (Math.max(removed, forgotten) < STORE_LIMITS.purge) return sum;
    }
  }

  async figures(): Promise<StoreFigures> {
    const [epoch, { number }] = [await this.epoch(), await this.now()];
    const counts = (await this.#read(statements.FIGURES)) as readonly [string, number][];
    const documents = Object.fromEntries(counts);
    return { engine: "postgres", schema: this.#schema, epoch, number, documents };
  }

  async renewEpoch(): Promise<string> {
    const epoch = newEpoch();
    await this.#transaction((sql) => sql.query({ ...statements.RENEW_EPOCH, values: [epoch] }));
    this.#watchers.notify();
    return epoch;
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#notices.stop();
    await this.#pool.close();
  }

  async #read(statement: Statement): Promise<readonly SqlRow[]> {
    return await this.#pool.use((sql) => sql.query(statement), { repeat: true });
  }

  async #page(statement: Statement): Promise<readonly SqlRow[]> {
    return await this.#pool.use(
      async (sql) => {
        await sql.query({ text: statements.BEGIN_PAGE });
        const rows = await sql.query(statement);
        await sql.query({ text: "COMMIT" });
        return rows;
      },
      { repeat: true },
    );
  }

  /** Holds the counter's row from the start; a conflict leaves nothing. */
  async #transaction<T>(run: (sql: SqlConnection) => Promise<T>): Promise<T> {
    return await this.#pool.use(async (sql) => {
      await sql.query({ text: statements.BEGIN });
      const result = await run(sql);
      await sql.query({ text: "COMMIT" });
      return result;
    });
  }
}

async function write(sql: SqlConnection, writes: readonly CheckedWrite[]): Promise<Commit> {
  const conflict = await findConflict(sql, writes);
  if (conflict !== undefined) {
    const { collection, id } = conflict;
    return { conflict: { collection, id } };
  }
  const values = [
    writes.map(({ collection }) => collection),
    writes.map(({ id }) => id),
    writes.map(({ body }) => body),
    writes.map(({ expiresMs }) => expiresMs),
  ];
  const row = only(await sql.query({ ...statements.WRITE, values }));
  const [number, timeMs] = row as unknown as [number, number];
  return { number, timeMs };
}

async function findConflict(
  sql: SqlConnection,
  writes: readonly CheckedWrite[],
): Promise<CheckedWrite | undefined> {
  const expecting = writes.filter(({ expect }) => expect !== null);
  if (expecting.length === 0) return undefined;
  const collections = expecting.map(({ collection }) => collection);
  const ids = expecting.map(({ id }) => id);
  const rows = await sql.query({ ...statements.NUMBERS, values: [collections, ids] });
  const numbers = new Map(rows.map(([collection, id, number]) => [`${collection}/${id}`, number]));
  return expecting.find(
    ({ collection, id, expect }) => (numbers.get(`${collection}/${id}`) ?? ABSENT) !== expect,
  );
}

function only(rows: readonly SqlRow[]): SqlRow {
  const [row] = rows;
  if (row !== undefined) return row;
  throw new SallyportError("store-failed", "store: Postgres has lost the store's counter");
}

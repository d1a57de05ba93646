/**
 * The verbs of the store on one SQLite connection, synchronous: this runs in a thread of its own. A
 * connection that failed is closed, and opened again for the next verb.
 */
import type { DatabaseSync, StatementSync, SQLInputValue } from "node:sqlite";
import { SallyportError } from "../model/errors.ts";
import type { Commit } from "../model/store.ts";
import { newEpoch } from "./epoch.ts";
import { STORE_LIMITS } from "./limits.ts";
import { COLUMNS, type ChangeRows, type Row } from "./rows.ts";
import { connectSqlite, inTransaction, schemaVersion } from "./sqlite-connection.ts";
import { describeSqliteError, type SqliteFailure } from "./sqlite-errors.ts";
import { type FileIdentity, isSameFile, prepareSqliteFile } from "./sqlite-file.ts";
import type {
  SqliteRequest,
  SqliteResult,
  SqliteTask,
  SqliteVerb,
  SqliteVerbs,
} from "./sqlite-tasks.ts";
import { storeTime } from "./store-time.ts";
import { ABSENT } from "./writes.ts";

interface Connection {
  readonly database: DatabaseSync;
  readonly file: FileIdentity;
  readonly statements: Map<string, StatementSync>;
  /** PRAGMA data_version when `moved` was last answered; undefined: not yet. */
  version: number | undefined;
}

interface State {
  readonly epoch: string;
  readonly number: number;
  readonly timeMs: number;
  readonly forgotten: number;
}

const ALIVE = "body IS NOT NULL AND (expires_ms IS NULL OR expires_ms > ?)";
/** What has expired reads as removed: its followers may not know the version that says until when. */
const CHANGED = "collection, id, iif(expires_ms <= ?, NULL, body), number, time_ms, expires_ms";

export class SqliteEngine implements SqliteVerbs {
  readonly #path: string;
  readonly #existing: boolean;
  #connection: Connection | undefined;

  /** `existing`: neither makes the file nor upgrades its tables. */
  constructor(path: string, { existing }: { readonly existing: boolean }) {
    this.#path = path;
    this.#existing = existing;
  }

  /** Throws SallyportError. */
  run<V extends SqliteVerb>({ verb, task }: SqliteRequest): SqliteResult<V> {
    try {
      const perform = this[verb] as (task: SqliteTask<SqliteVerb>) => SqliteResult<V>;
      return perform.call(this, task);
    } catch (error) {
      const failure = describeSqliteError(error);
      if (!failure.usable) this.close();
      throw asError(failure, error);
    }
  }

  close(): void {
    this.#connection?.database.close();
    this.#connection = undefined;
  }

  epoch(): string {
    return this.#state().epoch;
  }

  get({ collection, id, nowMs }: SqliteTask<"get">): Row | undefined {
    const text = `SELECT ${COLUMNS} FROM documents WHERE collection = ? AND id = ? AND ${ALIVE}`;
    return this.#rows(text, collection, id, nowMs)[0];
  }

  list({ collection, after, limit, nowMs }: SqliteTask<"list">): readonly Row[] {
    const text = `SELECT ${COLUMNS} FROM documents
      WHERE collection = ? AND id > ? AND ${ALIVE} ORDER BY id LIMIT ?`;
    return this.#rows(text, collection, after, nowMs, limit);
  }

  changes({ since, limit, nowMs }: SqliteTask<"changes">): ChangeRows {
    // One transaction, so that counter and documents are of one moment.
    const { database } = this.#connected();
    database.exec("BEGIN");
    try {
      return this.#changes(since, limit, nowMs);
    } finally {
      database.exec("COMMIT");
    }
  }

  now({ nowMs }: SqliteTask<"now">): { readonly number: number; readonly timeMs: number } {
    const { number, timeMs } = this.#state();
    return { number, timeMs: storeTime(timeMs, nowMs) };
  }

  commit({ writes, nowMs }: SqliteTask<"commit">): Commit {
    const { database, file } = this.#connected();
    // Writing on into a file that was replaced would lose what it says it kept.
    if (!isSameFile(this.#path, file)) {
      const message = `store: ${this.#path} was replaced while it was in use; it is opened anew`;
      throw new SallyportError("store-unavailable", message);
    }
    return inTransaction(database, () => this.#write(writes, nowMs));
  }

  purge({ nowMs, keepRemovalsMs }: SqliteTask<"purge">): {
    readonly removed: number;
    readonly more: boolean;
  } {
    const { database } = this.#connected();
    return inTransaction(database, () => {
      const removed = this.#expire(nowMs);
      const forgotten = this.#forget(nowMs - keepRemovalsMs);
      return { removed, more: Math.max(removed, forgotten) >= STORE_LIMITS.purge };
    });
  }

  moved(): boolean {
    const connection = this.#connected();
    const version = Number(this.#rows("PRAGMA data_version")[0]?.[0]);
    const moved = connection.version !== version;
    connection.version = version;
    return moved;
  }

  figures({ nowMs }: SqliteTask<"figures">): SqliteResult<"figures"> {
    const { database } = this.#connected();
    const { epoch, number } = this.#state();
    const text = `SELECT collection, count(*) FROM documents WHERE ${ALIVE} GROUP BY collection`;
    const counts = this.#rows(text, nowMs) as unknown as readonly [string, number][];
    const documents = Object.fromEntries(counts);
    return { engine: "sqlite", schema: schemaVersion(database), epoch, number, documents };
  }

  renewEpoch(): string {
    const epoch = newEpoch();
    this.#execute("UPDATE state SET epoch = ?", epoch);
    return epoch;
  }

  #changes(since: number, limit: number, nowMs: number): ChangeRows {
    const { number, forgotten } = this.#state();
    // A number that was never given out comes from another life of this file.
    if (since > number || (since > 0 && since < forgotten)) {
      return { rows: [], upTo: since, more: false, gap: true };
    }
    const bound = `SELECT number FROM documents WHERE number > ? ORDER BY number LIMIT 1 OFFSET ?`;
    const last = (this.#rows(bound, since, limit - 1)[0]?.[0] ?? number) as unknown as number;
    const text = `SELECT ${CHANGED} FROM documents
      WHERE number > ? AND number <= ? ORDER BY number, collection, id`;
    const rows = this.#rows(text, nowMs, since, last);
    return { rows, upTo: last, more: last < number, gap: false };
  }

  #write(writes: SqliteTask<"commit">["writes"], nowMs: number): Commit {
    const state = this.#state();
    for (const { collection, id, expect } of writes) {
      if (expect === null) continue;
      const found = this.get({ collection, id, nowMs })?.[3] ?? ABSENT;
      if (found !== expect) return { conflict: { collection, id } };
    }
    const number = state.number + 1;
    const timeMs = storeTime(state.timeMs, nowMs);
    const text = `INSERT INTO documents (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (collection, id) DO UPDATE SET body = excluded.body, number = excluded.number,
        time_ms = excluded.time_ms, expires_ms = excluded.expires_ms`;
    for (const { collection, id, body, expiresMs } of writes) {
      this.#execute(text, collection, id, body, number, timeMs, expiresMs);
    }
    this.#execute("UPDATE state SET number = ?, time_ms = ?", number, timeMs);
    return { number, timeMs };
  }

  /** Expired documents become removals of the same number: who has read past it knows their end. */
  #expire(nowMs: number): number {
    return this.#execute(
      `UPDATE documents SET body = NULL, expires_ms = NULL WHERE (collection, id) IN
        (SELECT collection, id FROM documents WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)`,
      nowMs,
      STORE_LIMITS.purge,
    );
  }

  #forget(untilMs: number): number {
    // The oldest in the order of numbers, so that the number up to which all is forgotten is exact.
    const old = `SELECT collection, id, number FROM documents
      WHERE body IS NULL AND time_ms < ? ORDER BY time_ms, number LIMIT ?`;
    const rows = this.#rows(old, untilMs, STORE_LIMITS.purge) as unknown as [
      string,
      string,
      number,
    ][];
    for (const [collection, id, number] of rows) {
      this.#execute("DELETE FROM documents WHERE collection = ? AND id = ?", collection, id);
      this.#execute("UPDATE state SET forgotten = max(forgotten, ?)", number);
    }
    return rows.length;
  }

  #state(): State {
    const text = "SELECT epoch, number, time_ms, forgotten FROM state";
    const row = this.#rows(text)[0] as unknown as [string, number, number, number] | undefined;
    if (row === undefined) {
      throw new SallyportError("store-failed", `store: ${this.#path} has lost its counter`);
    }
    const [epoch, number, timeMs, forgotten] = row;
    return { epoch, number, timeMs, forgotten };
  }

  #rows(text: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(text).all(...values) as unknown as Row[];
  }

  /** The number of rows that it changed. */
  #execute(text: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(text).run(...values).changes);
  }

  /** All texts are constants of this file, so there are few. */
  #statement(text: string): StatementSync {
    const { database, statements } = this.#connected();
    const known = statements.get(text);
    if (known !== undefined) return known;
    const statement = database.prepare(text);
    statement.setReturnArrays(true);
    statements.set(text, statement);
    return statement;
  }

  #connected(): Connection {
    if (this.#connection === undefined) {
      const file = prepareSqliteFile(this.#path, { create: !this.#existing });
      const database = connectSqlite(this.#path, { upgrade: !this.#existing });
      this.#connection = { database, file, statements: new Map(), version: undefined };
    }
    return this.#connection;
  }
}

function asError({ code, message }: SqliteFailure, cause: unknown): SallyportError {
  return cause instanceof SallyportError ? cause : new SallyportError(code, message, { cause });
}

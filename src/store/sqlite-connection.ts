/**
 * One connection to the file: opened with what durability needs, its tables brought to this version.
 * Refuses a file of somebody else and tables of a later version.
 */
import { DatabaseSync } from "node:sqlite";
import { SallyportError } from "../model/errors.ts";
import { newEpoch } from "./epoch.ts";
import { STORE_LIMITS } from "./limits.ts";
import { isSqliteBusy } from "./sqlite-errors.ts";
import { SQLITE_MIGRATIONS, type Migration } from "./sqlite-migrations.ts";

/** `SALY`: in the header of each of our files. */
const APPLICATION_ID = 0x53414c59;

/** Milliseconds between two attempts to take the write lock, at most. */
const LONGEST_PAUSE = 4;

/** Nobody ever wakes who waits on it. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** Pages kept in memory. Changes lie in the order of ids and are read in that of numbers: with SQLite's 2 MB each was read from the file again. */
const CACHE_KIB = 32 * 1024;

export interface ConnectOptions {
  /** False: tables of an earlier version are refused, and none are made. */
  readonly upgrade: boolean;
  readonly migrations?: readonly Migration[];
}

/** Throws what SQLite throws, or SallyportError `store-failed`. */
export function connectSqlite(
  path: string,
  { upgrade, migrations = SQLITE_MIGRATIONS }: ConnectOptions,
): DatabaseSync {
  const database = openSqliteFile(path);
  try {
    const version = schemaVersion(database);
    if (!upgrade && version < migrations.length) refuseOlder(path, version, migrations.length);
    useWriteAheadLog(path, database);
    migrate(path, database, migrations);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Opens a file of ours, or an empty one, and changes nothing in it. */
export function openSqliteFile(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: STORE_LIMITS.lock });
  try {
    // What a damaged or foreign file holds must not run (https://sqlite.org/security.html).
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    database.exec("PRAGMA foreign_keys = ON");
    refuseForeign(path, database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** All of `run` or nothing; other processes' commits come before or after it. */
export function inTransaction<T>(database: DatabaseSync, run: () => T): T {
  beginImmediate(database);
  try {
    const result = run();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/**
 * Takes the write lock. SQLite's own waiting sleeps for up to a tenth of a second between attempts, so
 * that who commits without a pause keeps others out for seconds; this asks some five hundred times a
 * second, at random moments.
 */
function beginImmediate(database: DatabaseSync): void {
  database.exec("PRAGMA busy_timeout = 0");
  try {
    untilFree(() => database.exec("BEGIN IMMEDIATE"));
  } finally {
    database.exec(`PRAGMA busy_timeout = ${STORE_LIMITS.lock}`);
  }
}

/** Tries again for as long as somebody else has the lock, and there is time. */
function untilFree<T>(run: () => T): T {
  const deadline = performance.now() + STORE_LIMITS.lock;
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!isSqliteBusy(error) || performance.now() >= deadline) throw error;
      Atomics.wait(PAUSE, 0, 0, Math.random() * LONGEST_PAUSE);
    }
  }
}

export function schemaVersion(database: DatabaseSync): number {
  return readPragma(database, "user_version");
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // Some failures (a full disk) have already done it.
  }
}

/**
 * Tables first and then whose they are: our first commit brings both, so whoever sees the tables of one
 * that starts at the same time sees its id as well.
 */
function refuseForeign(path: string, database: DatabaseSync): void {
  const empty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  const id = readPragma(database, "application_id");
  if (id === APPLICATION_ID || (id === 0 && empty)) return;
  refuse(path, "is a database of another program; name another file");
}

/**
 * Readers and one writer do not wait for each other; each commit is on the disk before it is told. Where
 * several open a new file at once, SQLite refuses all but one of them without waiting: each holds a read
 * lock, and would wait for the others for ever.
 */
function useWriteAheadLog(path: string, database: DatabaseSync): void {
  const answer = untilFree(() => database.prepare("PRAGMA journal_mode = WAL").get());
  const mode = answer?.["journal_mode"];
  if (mode !== "wal") refuse(path, "lies where SQLite has no write-ahead log; use a local disk");
  database.exec("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864");
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
}

function migrate(path: string, database: DatabaseSync, migrations: readonly Migration[]): void {
  for (;;) {
    const version = schemaVersion(database);
    if (version > migrations.length) refuseNewer(path, version, migrations.length);
    if (version === migrations.length) return;
    inTransaction(database, () => applyNext(database, migrations));
  }
}

/** The version is read again under the lock: another process may have been faster. */
function applyNext(database: DatabaseSync, migrations: readonly Migration[]): void {
  const version = schemaVersion(database);
  const next = migrations[version];
  if (next === undefined) return;
  database.exec(next.statements);
  if (version === 0) {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.prepare("INSERT INTO state VALUES (1, ?, 0, 0, 0)").run(newEpoch());
  }
  database.exec(`PRAGMA user_version = ${version + 1}`);
}

/** Throws SallyportError `store-failed`. */
export function refuseNewer(path: string, version: number, known: number): never {
  refuse(
    path,
    `has tables of version ${version}, and this program knows ${known}; run the newer program`,
  );
}

function refuseOlder(path: string, version: number, known: number): never {
  if (version === 0) refuse(path, "holds no store; sallyport run makes one");
  refuse(
    path,
    `has tables of version ${version} and this program wants ${known}; sallyport run upgrades them`,
  );
}

function readPragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function refuse(path: string, what: string): never {
  throw new SallyportError("store-failed", `store: ${path} ${what}`);
}

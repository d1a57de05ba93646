/**
 * A SQLite file that is made of something else and can be made again: its folder 0700, the file 0600.
 * Refuses what others can reach, what is no regular file, and a database of another program. The store
 * (store/sqlite-engine.ts) has its own: it holds what exists nowhere else.
 */
import { closeSync, constants, lstatSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SallyportError } from "../model/errors.ts";

const LIMITS = {
  /** Milliseconds that a reader and the one writer wait for each other: commits are short. */
  lock: 5000,
  /** Bytes of the write-ahead log that are kept when all of it is in the file. */
  journal: 64 * 1024 * 1024,
} as const;

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** What SQLite puts beside the file. */
const BESIDE = ["", "-wal", "-shm", "-journal"] as const;

export interface SideDatabaseOptions {
  /** For messages: `usage`. */
  readonly name: string;
  readonly path: string;
  /** Says whose file it is: a number of its own for each kind. */
  readonly applicationId: number;
  /** Of the tables. Another one is refused: the file is to be made again. */
  readonly version: number;
  /** Makes the tables of an empty file. */
  readonly tables: string;
  /** What makes the file again, for messages. */
  readonly remedy: string;
  /** Bytes of a page of a new file, a power of two: larger where rows are large. Default: SQLite's own. */
  readonly pageBytes?: number;
  /** Milliseconds to wait for another writer. Default: five seconds. */
  readonly lockMs?: number;
}

/** Opens it to write, and makes it where it is absent. Throws SallyportError `store-failed`. */
export function openSideDatabase(options: SideDatabaseOptions): DatabaseSync {
  const { path } = options;
  return guarded(options, () => {
    const folder = dirname(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if ((statSync(folder).mode & OTHERS) !== 0)
      refuse(options, "lies in a folder of others; chmod it to 0700");
    createFile(path);
    refuseWide(options);
    const database = new DatabaseSync(path, { timeout: options.lockMs ?? LIMITS.lock });
    return closedOnFault(database, () => {
      harden(database);
      const empty = isEmpty(database);
      if (!empty) refuseOther(database, options);
      // Before there is a first page.
      else if (options.pageBytes) database.exec(`PRAGMA page_size = ${options.pageBytes}`);
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
      database.exec(`PRAGMA journal_size_limit = ${LIMITS.journal}`);
      if (empty) makeTables(database, options);
      return database;
    });
  });
}

/** Opens it to read, beside whoever writes. Throws SallyportError `store-failed`, also where there is none. */
export function readSideDatabase(options: Omit<SideDatabaseOptions, "tables">): DatabaseSync {
  const { path } = options;
  return guarded(options, () => {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
      refuse(options, `is not there; ${options.remedy}`);
    }
    refuseWide(options);
    const database = new DatabaseSync(path, { readOnly: true, timeout: LIMITS.lock });
    return closedOnFault(database, () => {
      harden(database);
      refuseOther(database, options);
      return database;
    });
  });
}

/**
 * Refuses what `openSideDatabase` would, as far as names, modes and the first bytes tell: a connection would make
 * files beside it. False where there is none yet. Throws SallyportError `store-failed`.
 */
export function inspectSideDatabase(options: Named): boolean {
  const { path } = options;
  return guarded(options, () => {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
    if ((statSync(dirname(path)).mode & OTHERS) !== 0)
      refuse(options, "lies in a folder of others; chmod it to 0700");
    refuseWide(options);
    const head = readHead(path);
    if (head.length === 0) return true;
    if (head.length < HEAD_BYTES || !head.toString("latin1").startsWith("SQLite format 3\0")) {
      refuse(options, noDatabase(options));
    }
    const id = head.readUInt32BE(68);
    // Zeroes: what was made last is still in the write-ahead log.
    if (id === 0 && head.readUInt32BE(60) === 0) return true;
    refuseNumbers(options, { id, version: head.readUInt32BE(60) });
    if (isCutOff(path, head)) refuse(options, `is cut off; ${options.remedy}`);
    return true;
  });
}

/** What is in the write-ahead log makes up for what the file lacks. */
function isCutOff(path: string, head: Buffer): boolean {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return false;
  // A page size of 1 is 65 536. The number of pages counts where the two counters of changes agree.
  const pageBytes = head.readUInt16BE(16) === 1 ? 65_536 : head.readUInt16BE(16);
  const counts = head.readUInt32BE(24) === head.readUInt32BE(92);
  return counts && statSync(path).size < pageBytes * head.readUInt32BE(28);
}

/** Of the header of a database file (https://sqlite.org/fileformat.html, section 1.3). */
const HEAD_BYTES = 100;

function readHead(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

/** All of `run` or nothing. */
export function inOneTransaction<T>(database: DatabaseSync, run: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = run();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // Some failures (a full disk) have already done it.
    }
    throw error;
  }
}

/** What a damaged or foreign file holds must not run (https://sqlite.org/security.html). */
function harden(database: DatabaseSync): void {
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
}

function makeTables(
  database: DatabaseSync,
  { applicationId, version, tables }: SideDatabaseOptions,
): void {
  inOneTransaction(database, () => {
    // Looked at again: another process may have made them meanwhile.
    if (!isEmpty(database)) return;
    database.exec(tables);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`);
  });
}

type Named = Omit<SideDatabaseOptions, "tables">;

function refuseOther(database: DatabaseSync, options: Named): void {
  const pragma = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  refuseNumbers(options, { id: pragma("application_id"), version: pragma("user_version") });
}

function refuseNumbers(
  options: Named,
  { id, version }: { readonly id: number; readonly version: number },
): void {
  if (id !== options.applicationId) {
    refuse(options, "is a database of another program; name another file");
  }
  if (version !== options.version) {
    refuse(
      options,
      `has tables of version ${version} and this program wants ${options.version}; ${options.remedy}`,
    );
  }
}

function createFile(path: string): void {
  const { O_CREAT, O_EXCL, O_RDWR } = constants;
  try {
    closeSync(openSync(path, O_CREAT | O_EXCL | O_RDWR, 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Looks at names and opens nothing: closing a descriptor would take SQLite's locks away. */
function refuseWide(options: Named): void {
  for (const suffix of BESIDE) {
    const found = lstatSync(options.path + suffix, { throwIfNoEntry: false });
    if (found === undefined) continue;
    if (!found.isFile()) refuse(options, `has ${suffix || "a name"} that is no regular file`);
    if ((found.mode & OTHERS) !== 0) refuse(options, "can be reached by others; chmod it to 0600");
  }
}

function closedOnFault(database: DatabaseSync, run: () => DatabaseSync): DatabaseSync {
  try {
    return run();
  } catch (error) {
    database.close();
    throw error;
  }
}

interface SqliteError {
  readonly code?: string;
  readonly errcode?: number;
  readonly errstr?: string;
}

/** https://sqlite.org/rescode.html. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

function noDatabase({ remedy }: Named): string {
  return `is no database: name another file; ${remedy}`;
}

function guarded<T>(options: Named, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const { code, errcode, errstr } = error as SqliteError;
    if (errcode === NOT_A_DATABASE) refuse(options, noDatabase(options));
    if (errcode !== undefined && (errcode & 0xff) === CORRUPT) {
      refuse(options, `is damaged (${errstr ?? "malformed"}); ${options.remedy}`);
    }
    const message = `${options.name}: ${options.path} cannot be opened (${errstr ?? code ?? "unknown"})`;
    throw new SallyportError("store-failed", message, { cause: error });
  }
}

function refuse({ name, path }: Named, what: string): never {
  throw new SallyportError("store-failed", `${name}: ${path} ${what}`);
}

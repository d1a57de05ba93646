/**
 * A whole, consistent copy of a SQLite store, taken while it is in use: commits go on meanwhile. The
 * copy is checked before it gets its name, is of mode 0600, and never takes the place of a file.
 */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { SallyportError } from "../model/errors.ts";
import { openSqliteFile, schemaVersion } from "./sqlite-connection.ts";
import { describeSqliteError } from "./sqlite-errors.ts";
import { prepareSqliteFile } from "./sqlite-file.ts";

/** What a file holds. */
export interface SqliteContents {
  readonly schema: number;
  readonly epoch: string;
  readonly number: number;
}

/**
 * Synchronous, for the command line. Throws SallyportError `store-failed` where `file` is there, the
 * store is not, or the copy is not whole.
 */
export function backupSqlite(path: string, file: string): SqliteContents {
  const draft = `${file}.${randomBytes(6).toString("hex")}.partial`;
  try {
    prepareSqliteFile(path, { create: false });
    createEmpty(draft);
    withDatabase(path, (database) => database.prepare("VACUUM INTO ?").run(draft));
    const contents = withDatabase(draft, checkSqlite);
    syncFile(draft);
    linkSync(draft, file);
    syncFile(dirname(resolve(file)));
    return contents;
  } catch (error) {
    throw asBackupError(error, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** What it holds, once SQLite has found no fault in it. Throws SallyportError `store-failed`. */
export function checkSqlite(database: DatabaseSync): SqliteContents {
  const found = database.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
  if (found !== "ok") throw failed("the file is damaged; SQLite finds a fault in it");
  const schema = schemaVersion(database);
  if (schema === 0) throw failed("the file holds no store");
  const state = database.prepare("SELECT epoch, number FROM state").get();
  if (state === undefined) throw failed("the file has lost the store's counter");
  return { schema, epoch: String(state["epoch"]), number: Number(state["number"]) };
}

export function withDatabase<T>(path: string, run: (database: DatabaseSync) => T): T {
  const database = openSqliteFile(path);
  try {
    return run(database);
  } finally {
    database.close();
  }
}

/** So that a loss of power takes neither a file nor its name. */
export function syncFile(path: string): void {
  const file = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Before SQLite writes into it: it would make it readable as the umask says. */
export function createEmpty(path: string): void {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  closeSync(openSync(path, O_CREAT | O_EXCL | O_WRONLY, 0o600));
}

export function asBackupError(error: unknown, file: string): SallyportError {
  if (error instanceof SallyportError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return failed(`${file} is there already; name another file`, error);
  if (code !== undefined && /^E[A-Z]+$/.test(code)) {
    return failed(`${file} cannot be written (${code})`, error);
  }
  const failure = describeSqliteError(error);
  return new SallyportError(failure.code, failure.message, { cause: error });
}

function failed(what: string, cause?: unknown): SallyportError {
  return new SallyportError("store-failed", `store: ${what}`, { cause });
}

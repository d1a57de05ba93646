/**
 * Puts a backup in the place of a SQLite store, under a new epoch: numbers that followers have seen are
 * given out again after a restore, and the epoch tells them that these are others. Refuses to replace
 * a store unless told, and one that is in use always; what was there is set aside and not removed.
 */
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, lstatSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SallyportError } from "../model/errors.ts";
import { newEpoch } from "./epoch.ts";
import {
  asBackupError,
  checkSqlite,
  createEmpty,
  type SqliteContents,
  syncFile,
  withDatabase,
} from "./sqlite-backup.ts";
import { refuseNewer } from "./sqlite-connection.ts";
import { isSqliteBusy } from "./sqlite-errors.ts";
import { filesBeside, prepareFolder } from "./sqlite-file.ts";
import { SQLITE_MIGRATIONS } from "./sqlite-migrations.ts";

export interface Restored extends SqliteContents {
  /** Where the store that was there is now. */
  readonly setAside: string | undefined;
}

/** Synchronous, for the command line. Throws SallyportError. */
export function restoreSqlite(
  file: string,
  path: string,
  { replace, nowMs }: { readonly replace: boolean; readonly nowMs: number },
): Restored {
  const draft = `${path}.${randomBytes(6).toString("hex")}.partial`;
  try {
    refuseUnfit(file);
    prepareFolder(path, { create: true });
    const there = existsSync(path);
    if (there && !replace) {
      throw failed(`${path} is there already; --replace puts the backup in its place`);
    }
    createEmpty(draft);
    copyFileSync(file, draft);
    const contents = withDatabase(draft, (database) => prepare(draft, database));
    syncFile(draft);
    const setAside = there ? setAsideStore(path, nowMs) : undefined;
    renameSync(draft, path);
    syncFile(dirname(resolve(path)));
    return { ...contents, setAside };
  } catch (error) {
    throw asBackupError(error, path);
  } finally {
    for (const left of [draft, ...filesBeside(draft)]) rmSync(left, { force: true });
  }
}

/** A copy of a file in use lacks what is in its write-ahead log. */
function refuseUnfit(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw failed(`${file} is not there`);
  if (!found.isFile()) throw failed(`${file} is not a regular file`);
  if (filesBeside(file).some((beside) => existsSync(beside))) {
    throw failed(
      `${file} is a store in use, or a copy of one; sallyport store backup makes a backup`,
    );
  }
}

function prepare(draft: string, database: DatabaseSync): SqliteContents {
  const contents = checkSqlite(database);
  if (contents.schema > SQLITE_MIGRATIONS.length) {
    refuseNewer("the backup", contents.schema, SQLITE_MIGRATIONS.length);
  }
  const mode = database.prepare("PRAGMA journal_mode = DELETE").get()?.["journal_mode"];
  if (mode !== "delete") throw failed(`${draft} cannot be written in one piece`);
  const epoch = newEpoch();
  database.prepare("UPDATE state SET epoch = ?").run(epoch);
  return { ...contents, epoch };
}

/** What is beside a damaged store goes with it: SQLite would take it away when it opens the file. */
function setAsideStore(path: string, nowMs: number): string {
  const aside = `${path}.before-restore-${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, "")}`;
  if (existsSync(aside)) throw failed(`${aside} is there already; try again`);
  const beside = filesBeside(path).filter((name) => existsSync(name));
  const copies = beside.map((name) => aside + name.slice(path.length));
  for (const [index, copy] of copies.entries()) copyFileSync(beside[index] as string, copy);
  let whole = true;
  try {
    whole = settle(path);
  } finally {
    if (whole) for (const copy of copies) rmSync(copy, { force: true });
  }
  for (const name of beside) rmSync(name, { force: true });
  renameSync(path, aside);
  return aside;
}

/**
 * Moves what is in the write-ahead log into the file, under the lock of whoever is alone. False: it is
 * damaged and stays as it is. Throws SallyportError `store-failed` where somebody has it open.
 */
function settle(path: string): boolean {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE; COMMIT");
    database.exec("PRAGMA journal_mode = DELETE");
    return true;
  } catch (error) {
    if (isSqliteBusy(error)) throw failed(`${path} is in use; stop who uses it first`, error);
    return false;
  } finally {
    database.close();
  }
}

function failed(what: string, cause?: unknown): SallyportError {
  return new SallyportError("store-failed", `store: ${what}`, { cause });
}

/**
 * One thread keeps a folder at a time, whichever process it is in: two would seal the same records twice.
 * It is a lock of SQLite's, because the system takes that from a process that dies, however it dies.
 */
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { codeOf } from "../../audit/files.ts";
import { SallyportError } from "../../model/errors.ts";
import { isSqliteBusy } from "../../store/sqlite-errors.ts";

/** In the folder of the log; empty. */
const FILE = "keeping.lock";

export interface KeepingLock {
  release(): void;
}

/** Undefined while somebody else has it. Throws SallyportError `audit-failed`. */
export function takeKeepingLock(folder: string): KeepingLock | undefined {
  const path = join(folder, FILE);
  let database: DatabaseSync | undefined;
  try {
    createFile(path);
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (isSqliteBusy(error)) return undefined;
    throw refused(path, error);
  }
  const held = database;
  return { release: () => held.close() };
}

/** Before SQLite does, which would leave the mode to the umask. */
function createFile(path: string): void {
  const { O_CREAT, O_EXCL, O_RDWR } = constants;
  try {
    closeSync(openSync(path, O_CREAT | O_EXCL | O_RDWR, 0o600));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

/** Whoever asks by hand may be another user than the proxy's, or have named a folder that is no log. */
function refused(path: string, cause: unknown): SallyportError {
  const { errstr } = cause as { readonly errstr?: string };
  const why = errstr ?? codeOf(cause) ?? "unknown";
  const remedy = "it has to be a file that this user may write: run as the user of the proxy";
  return new SallyportError("audit-failed", `audit: ${path} cannot be locked (${why}); ${remedy}`, {
    cause,
  });
}

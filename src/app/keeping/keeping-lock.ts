/**
 * One thread keeps a folder at a time, whichever process it is in: two would seal the same records twice.
 * It is a lock of SQLite's, because the system takes that from a process that dies, however it dies.
 */
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { codeOf } from "../../audit/files.ts";
import { isSqliteBusy } from "../../store/sqlite-errors.ts";

/** In the folder of the log; empty. */
const FILE = "keeping.lock";

export interface KeepingLock {
  release(): void;
}

/** Undefined while somebody else has it. Throws what the file system or SQLite says. */
export function takeKeepingLock(folder: string): KeepingLock | undefined {
  const path = join(folder, FILE);
  createFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isSqliteBusy(error)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
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

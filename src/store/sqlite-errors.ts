/**
 * What SQLite's result codes mean to who asked: wait and ask again, or call somebody. Texts are
 * SQLite's own short names; they hold nothing of what was written.
 */
import { type ErrorCode, SallyportError } from "../model/errors.ts";

/** https://sqlite.org/rescode.html: primary codes of what can pass by itself. */
const PASSING: ReadonlyMap<number, string> = new Map([
  [3, "permission is denied"],
  [5, "another process has it locked"],
  [6, "it is locked"],
  [7, "memory is short"],
  [8, "it cannot be written"],
  [10, "the disk fails"],
  [13, "the disk is full"],
  [14, "the file cannot be opened"],
  [15, "its locks do not work on this file system"],
]);

const BUSY: ReadonlySet<number> = new Set([5, 6]);

/** Whether somebody else holds a lock that was wanted. */
export function isSqliteBusy(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: number };
  return errcode !== undefined && BUSY.has(errcode & 0xff);
}

export interface SqliteFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Whether the connection is good for more. */
  readonly usable: boolean;
}

export function describeSqliteError(error: unknown): SqliteFailure {
  if (error instanceof SallyportError) {
    return { code: error.code, message: error.message, usable: false };
  }
  const { errcode, errstr } = error as { readonly errcode?: number; readonly errstr?: string };
  if (errcode === undefined) {
    const message = `store: a defect of its own: ${error instanceof Error ? error.message : ""}`;
    return { code: "store-failed", message, usable: false };
  }
  // The lower byte is the primary code, the rest says more.
  const primary = errcode & 0xff;
  const passing = PASSING.get(primary);
  return {
    code: passing === undefined ? "store-failed" : "store-unavailable",
    message: `store: ${passing ?? errstr ?? "SQLite failed"} (SQLite ${errcode})`,
    usable: isSqliteBusy(error),
  };
}

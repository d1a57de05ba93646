/**
 * Raw reads of files that the configuration names. Refuses what is not a regular file (a device or a
 * pipe may never end, and one check or reload would hang on it) and what is larger than such files are.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

const LIMITS = {
  /** Bytes. The largest that anybody names is a revocation list; key sets and bundles have some 100 KB. */
  file: 16 * 1024 * 1024,
} as const;

/** The bytes of a file of at most `limit` bytes. Throws what the file system throws, or an Error whose `code` says what is wrong. */
export function readFileBytes(path: string, limit: number = LIMITS.file): Buffer {
  // Without NONBLOCK, opening a pipe waits for somebody who writes.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw faulty(stat.isDirectory() ? "EISDIR" : "not a regular file");
    if (stat.size > limit) throw faulty(`larger than ${limit} bytes`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function faulty(code: string): Error {
  return Object.assign(new Error(code), { code });
}

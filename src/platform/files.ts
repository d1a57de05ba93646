/** Raw reads of files that the configuration names. */
import { readFileSync } from "node:fs";

/** The bytes of a file. Throws what the file system throws. */
export function readFileBytes(path: string): Uint8Array {
  return readFileSync(path);
}

/**
 * Writes a file as a whole or not at all: under another name beside it, to the disk, then renamed. Who
 * reads it meanwhile, or after a crash, finds the old one or the new one.
 */
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { SallyportError } from "../model/errors.ts";

export interface WriteOptions {
  /** Who may read it; 0o600: the owner alone. Default 0o644. */
  readonly mode?: number;
}

/** Rejects with SallyportError `io-failed`, which names the file. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  { mode = 0o644 }: WriteOptions = {},
): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(draft, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    // Where there is no such folder there is no draft either; what failed first is what is told.
    await rm(draft, { force: true }).catch(() => undefined);
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new SallyportError("io-failed", `${path} cannot be written (${code})`, { cause: error });
  }
}

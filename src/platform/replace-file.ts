/** Writes a file as a whole: who reads it sees what was there before or all that is there now. */
import { randomBytes } from "node:crypto";
import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { SallyportError } from "../model/errors.ts";

/** Keeps the mode of a file that is there. Throws SallyportError `io-failed`. */
export function replaceFile(path: string, text: string): void {
  const beside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode;
    // In the same folder: a rename between file systems is a copy.
    writeFileSync(beside, text, { flag: "wx", ...(mode === undefined ? {} : { mode }) });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    const { code = "failed" } = error as NodeJS.ErrnoException;
    throw new SallyportError("io-failed", `${path} cannot be written (${code})`, { cause: error });
  }
}

/**
 * `sallyport audit rehash`: makes the hashes of the tree anew from the records, where they were damaged or
 * lost. Verifies the log first, and writes nothing unless every record is as it was sealed: hashes of
 * others would hide what is wrong.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { takeKeepingLock } from "../app/keeping/keeping-lock.ts";
import { rehash } from "../audit/tree/rehash.ts";
import { TREE_FILES, TREE_FOLDER } from "../audit/tree/tree-files.ts";
import { verifyLog } from "../audit/tree/verify/verify-log.ts";
import { SallyportError } from "../model/errors.ts";
import { folderOf, type LogOptions } from "./audit-search.ts";
import { keysOf, ownKeys, type Said } from "./audit-verify.ts";
import { ownKeyWarning, verifyText } from "./audit-verify-text.ts";

export interface RehashOptions extends LogOptions {
  /** vkeys, or files that hold some. */
  readonly key: readonly string[];
}

/** 0: made; 1: the records are not what was sealed, and nothing was written. Throws SallyportError. */
export async function auditRehash(options: RehashOptions, { write, hint }: Said): Promise<number> {
  const folder = folderOf(options);
  if (!existsSync(join(folder, TREE_FOLDER, TREE_FILES.checkpoints))) {
    throw refused(`${folder} has no checkpoint, which hashes are held against`);
  }
  const given = options.key.flatMap(keysOf);
  if (given.length === 0) hint(ownKeyWarning(folder));
  // Whoever seals would go on writing the files that are replaced.
  const lock = takeKeepingLock(folder);
  if (lock === undefined) throw refused(`${folder} is kept by a process; end it first`);
  try {
    const started = performance.now();
    const report = await verifyLog({ folder, keys: given.length > 0 ? given : ownKeys(folder) });
    // Of the hashes that are there nothing is asked but those of removed files, which the root tells.
    const faults = report.faults.filter(({ kind }) => kind !== "hashes");
    const { records, root = "" } = report;
    if (faults.length > 0 || report.checkpoints === 0) {
      const seconds = (performance.now() - started) / 1000;
      write(verifyText({ ...report, faults, faultCount: faults.length }, seconds));
      hint("the records are not what was sealed: the hashes are left as they are");
      return 1;
    }
    await rehash(folder, { records, root: Buffer.from(root, "base64") });
    const names = Object.values(TREE_FILES.hashes).join(", ");
    write(`${names}: made of ${records} records, whose root is that of the last checkpoint\n`);
    return 0;
  } finally {
    lock.release();
  }
}

function refused(what: string): SallyportError {
  return new SallyportError("audit-failed", `audit: ${what}`);
}

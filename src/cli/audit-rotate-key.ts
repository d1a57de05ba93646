/**
 * `sallyport audit rotate-key`: another key for the checkpoints. It only puts the new key beside the old
 * one; whoever seals the log takes it over with a checkpoint that both sign, so nobody else writes the tree
 * and it does not matter whether a process runs.
 */
import { createPrivateKey } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { readKeyHistory } from "../audit/tree/key-history.ts";
import { noteSigner } from "../audit/tree/note.ts";
import { createWhole, TREE_FILES, TREE_FOLDER } from "../audit/tree/tree-files.ts";
import { newPrivatePem } from "../audit/tree/tree-key.ts";
import { SallyportError } from "../model/errors.ts";
import { auditFolderOf } from "./audit-folder.ts";

export interface RotateOptions {
  readonly config: string;
  readonly audit?: string | undefined;
}

/** 1: another key waits already. Throws SallyportError where there is no key of ours to follow. */
export function auditRotateKey(options: RotateOptions, print: (line: string) => void): number {
  const folder =
    options.audit === undefined ? auditFolderOf(options.config) : resolve(options.audit);
  const tree = join(folder, TREE_FOLDER);
  const origin = readKeyHistory(tree).keys.at(-1)?.key.name;
  if (origin === undefined || !existsSync(join(tree, TREE_FILES.key))) {
    const what =
      origin === undefined
        ? "has no key yet; the first start makes one"
        : "has no key of its own: change audit.checkpoints.key, and name the old one as previousKey";
    throw new SallyportError("audit-failed", `audit: ${tree} ${what}`);
  }
  const pem = newPrivatePem();
  if (!createWhole(join(tree, TREE_FILES.nextKey), pem)) {
    print("another key waits already; it takes over with the next checkpoint");
    return 1;
  }
  print(noteSigner(origin, createPrivateKey(pem)).public.vkey);
  print(
    "it takes over with the next checkpoint, which the old one signs too (of a stopped process: after its start)",
  );
  return 0;
}

/**
 * What a start would refuse of the tree, found without one: nothing is made, cut or locked, so that it can be
 * asked beside a proxy that seals.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HashFiles } from "./hash-files.ts";
import { readKeyHistory } from "./key-history.ts";
import { refuseOther } from "./last-checkpoint.ts";
import { checkRecent } from "./recent-records.ts";
import { refuseWideFolder, TREE_FILES, TREE_FOLDER } from "./tree-files.ts";
import {
  findSigners,
  goneHistory,
  type KeyOptions,
  ownSigner,
  refuseOtherOrigin,
  signerIn,
} from "./tree-signers.ts";
import { readTreeState } from "./tree-state.ts";

/** Rejects with SallyportError `audit-failed`, as the start would. */
export async function inspectTree(auditFolder: string, options: KeyOptions): Promise<void> {
  try {
    await inspect(auditFolder, options);
  } catch {
    // A change of keys may have come between two of its files; it does not come twice.
    await inspect(auditFolder, options);
  }
}

async function inspect(auditFolder: string, options: KeyOptions): Promise<void> {
  const folder = join(auditFolder, TREE_FOLDER);
  if (existsSync(folder)) refuseWideFolder(folder);
  const state = readTreeState(folder, "reading");
  const { size, last } = state;
  const { keys } = readKeyHistory(folder);
  const newest = keys.at(-1);
  if (newest === undefined) {
    if (last !== undefined) throw goneHistory(folder);
    // The first start takes the key that is there, and makes one only where none is named.
    const origin = options.origin ?? "sallyport-audit";
    if (options.key !== undefined) ownSigner(folder, options, origin);
    else signerIn(join(folder, TREE_FILES.key), origin);
    return;
  }
  refuseOtherOrigin(folder, options, newest.key.name);
  const { current, next } = findSigners(folder, options, keys);
  if (last === undefined) return;
  const hashes = new HashFiles(folder, "reading");
  try {
    const signers = next === undefined ? [current] : [current, next];
    refuseOther(folder, last, { signers, frontier: hashes.frontier(size) });
    await checkRecent({ folder: auditFolder, treeFolder: folder, state, hashes });
  } finally {
    hashes.close();
  }
}

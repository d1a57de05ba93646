/** Whether one may go on from the last checkpoint: it is of this log, by a key at hand, and of these hashes. */
import { join } from "node:path";
import type { Frontier } from "./frontier.ts";
import { REMEDY } from "./hash-files.ts";
import { type NoteSigner, verifyNote } from "./note.ts";
import { TREE_FILES, treeError } from "./tree-files.ts";
import type { TreeState } from "./tree-state.ts";

/** `signers`: at least one. Throws SallyportError `audit-failed`. */
export function refuseOther(
  folder: string,
  last: NonNullable<TreeState["last"]>,
  { signers, frontier }: { readonly signers: readonly NoteSigner[]; readonly frontier: Frontier },
): void {
  const path = join(folder, TREE_FILES.checkpoints);
  const origin = signers[0]?.public.name;
  if (last.origin !== origin) {
    throw treeError(path, `is of the log "${last.origin}", and the key is of "${origin}"`);
  }
  // By a key that is in our hands. One that only the history names is whoever's wrote the history.
  if (!signers.some((key) => verifyNote(last.note, key.public))) {
    throw treeError(
      path,
      "ends with a checkpoint that the key did not sign; see `sallyport audit verify`, and put the folder back from a copy",
    );
  }
  if (!frontier.root().equals(last.root)) {
    const { hashes } = TREE_FILES;
    throw treeError(
      join(folder, hashes[0]),
      `(or ${hashes[8]}, ${hashes[16]}) does not make the root of the last checkpoint; ${REMEDY}. Where they are not: put the folder back from a copy, or begin a new one`,
    );
  }
}

/** Checkpoints that somebody kept outside the reach of the log's operator: each has to be one of this tree. */
import type { Checkpoint } from "../checkpoint.ts";
import type { Note } from "../note.ts";
import type { Cosignatures } from "./cosignatures.ts";
import type { GrowingTree } from "./growing-tree.ts";
import type { Faults, KeptFinding } from "./report.ts";
import type { Trust } from "./trust.ts";

export interface KeptCheckpoint {
  /** Where it is from, for the report. */
  readonly name: string;
  readonly note: Note;
  readonly checkpoint: Checkpoint;
}

export interface KeptParts {
  readonly tree: GrowingTree;
  readonly trust: Trust;
  readonly cosignatures: Cosignatures;
  readonly faults: Faults;
}

export function checkKept(kept: readonly KeptCheckpoint[], parts: KeptParts): KeptFinding[] {
  return kept.map((one) => {
    const { name, note, checkpoint } = one;
    const why = contradiction(one, parts);
    if (why === undefined) parts.cosignatures.checkNote(note, checkpoint.size);
    else parts.faults.add({ kind: "kept", detail: `${name}: ${why}` });
    return { name, size: checkpoint.size, holds: why === undefined };
  });
}

function contradiction(
  { note, checkpoint: { size, root } }: KeptCheckpoint,
  { tree, trust }: KeptParts,
): string | undefined {
  if (!trust.isOfLog(note)) return "no key of this log signed it";
  const own = tree.roots.get(size);
  if (own === undefined) {
    return `the log is shorter: the checkpoint is of ${size} records, and ${tree.size} are sealed here`;
  }
  return own.equals(root) ? undefined : `the first ${size} records make another root`;
}

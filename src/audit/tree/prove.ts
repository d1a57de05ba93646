/**
 * Makes proofs from the files of a log: that a record is under a checkpoint, that a checkpoint begins with an
 * earlier one. Each is tried before it is given out, so that damaged hashes make none.
 */
import { join } from "node:path";
import { parseCheckpoint } from "./checkpoint.ts";
import { parseCheckpointLine, rawLines } from "./checkpoint-lines.ts";
import { HashFiles } from "./hash-files.ts";
import { leafHash } from "./hashing.ts";
import { parseNote } from "./note.ts";
import { consistencyProof, inclusionProof, treeHead } from "./proofs.ts";
import type { ConsistencyFile, InclusionFile } from "./tlog-proof.ts";
import { TREE_FILES, TREE_FOLDER, treeError } from "./tree-files.ts";
import { HashedLines } from "./verify/hashed-lines.ts";
import { verifyInclusion } from "./verify-proof.ts";

export interface ProvenRecord {
  readonly file: InclusionFile;
  /** Its line, without its line feed. */
  readonly record: string;
}

const LIMITS = {
  /** Lines that are looked at at once. */
  block: 4096,
} as const;

/**
 * Of the decision with that id in that segment. `note`: a checkpoint that was kept elsewhere; the last one
 * when left out. Undefined while it is not sealed. Rejects with SallyportError `audit-failed`.
 */
export async function proveDecision(
  folder: string,
  { segment, id, note }: { segment: string; id: string; note?: string | undefined },
): Promise<ProvenRecord | undefined> {
  const sealed = sealedOf(folder, segment);
  const found = await lineOf(folder, segment, { id, sealed });
  if (found === undefined) throw treeError(join(folder, segment), `has no decision ${id}`);
  const leaf = leafOf(sealed, found.ordinal);
  const checkpoint = note ?? sealed.last;
  if (leaf === undefined || checkpoint === undefined) return undefined;
  const { size, root } = parseCheckpoint(parseNote(checkpoint).text);
  if (leaf >= size) return undefined;
  const proof = withHashes(folder, (read) => inclusionProof(leaf, size, read));
  const hash = leafHash(Buffer.from(found.record));
  if (!verifyInclusion({ index: leaf, size, leaf: hash, proof, root })) throw unproven(folder);
  return {
    record: found.record,
    file: { kind: "inclusion", index: leaf, proof, note: checkpoint },
  };
}

/** Throws SallyportError `audit-failed` where there is no checkpoint of size `to` (the last one when left out). */
export function proveConsistency(
  folder: string,
  { from, to }: { from: number; to?: number | undefined },
): ConsistencyFile {
  let found: { note: string; size: number } | undefined;
  for (const line of checkpointsOf(folder)) if (to === undefined || line.size === to) found = line;
  if (found === undefined || from > found.size) {
    const sizes = to === undefined ? "" : ` of ${to} records that begins with ${from}`;
    throw treeError(join(folder, TREE_FOLDER, TREE_FILES.checkpoints), `has no checkpoint${sizes}`);
  }
  const { note, size } = found;
  const { root } = parseCheckpoint(parseNote(note).text);
  const proof = withHashes(folder, (read) => {
    if (!treeHead(size, read).equals(root)) throw unproven(folder);
    return consistencyProof(from, size, read);
  });
  return { kind: "consistency", earlier: from, proof, note };
}

function withHashes<T>(
  folder: string,
  use: (read: (level: number, index: number) => Buffer) => T,
): T {
  const hashes = new HashFiles(join(folder, TREE_FOLDER), "reading");
  try {
    return use((level, index) => hashes.node(level, index));
  } finally {
    hashes.close();
  }
}

/** What the checkpoints have of one segment. */
interface Sealed {
  /** In their order: the first leaf of each piece, and how many records it has. */
  readonly pieces: readonly { readonly leaf: number; readonly records: number }[];
  readonly records: number;
  readonly bytes: number;
  /** The last checkpoint, whatever it sealed. */
  readonly last: string | undefined;
}

function sealedOf(folder: string, segment: string): Sealed {
  const pieces: { leaf: number; records: number }[] = [];
  const all = { records: 0, bytes: 0 };
  let leaf = 0;
  let last: string | undefined;
  for (const { parts, note } of checkpointsOf(folder)) {
    for (const [name, records, bytes] of parts) {
      if (name === segment) {
        pieces.push({ leaf, records });
        all.records += records;
        all.bytes += bytes;
      }
      leaf += records;
    }
    last = note;
  }
  return { pieces, ...all, last };
}

/** Which leaf the `ordinal`th record of a segment is; undefined while it is not sealed. */
function leafOf({ pieces }: Sealed, ordinal: number): number | undefined {
  let before = 0;
  for (const { leaf, records } of pieces) {
    if (ordinal < before + records) return leaf + ordinal - before;
    before += records;
  }
  return undefined;
}

/** Which of the records of its segment it is. */
async function lineOf(
  folder: string,
  segment: string,
  { id, sealed }: { readonly id: string; readonly sealed: Sealed },
): Promise<{ record: string; ordinal: number } | undefined> {
  const lines = HashedLines.open(folder, segment);
  if (lines === undefined) return undefined;
  lines.allow(sealed.records, sealed.bytes);
  try {
    let ordinal = 0;
    for (let block; (block = await lines.read(LIMITS.block)) !== undefined;) {
      for (let index = 0; index < block.count; index++, ordinal++) {
        const record = block.text(index);
        if (record.includes(`"decisionId":"${id}"`) && isDecision(record, id)) {
          return { record, ordinal };
        }
      }
    }
    return undefined;
  } finally {
    lines.close();
  }
}

function isDecision(record: string, id: string): boolean {
  try {
    const { type, decisionId } = JSON.parse(record) as { type?: unknown; decisionId?: unknown };
    return type === "decision" && decisionId === id;
  } catch {
    return false;
  }
}

function* checkpointsOf(folder: string) {
  const path = join(folder, TREE_FOLDER, TREE_FILES.checkpoints);
  for (const { text, torn, number } of rawLines(path)) {
    if (torn) return;
    try {
      yield parseCheckpointLine(text);
    } catch {
      throw treeError(
        path,
        `has a line ${number} that does not read; see \`sallyport audit verify\``,
      );
    }
  }
}

function unproven(folder: string): Error {
  return treeError(
    folder,
    "does not prove it; `sallyport audit verify` says what is wrong, `sallyport audit rehash` makes damaged hashes anew",
  );
}

/**
 * What the checkpoints of a folder say, last of all the last one: how many leaves there are, with which
 * root, and up to where each segment is sealed.
 *
 * A last line without its end is cut off: the crash came before anybody was told of it. Everything else
 * that does not fit is refused, since going on from it would be another log under the same name. Of lines
 * that a snapshot stands for only the last is read.
 */
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { parseCheckpointLine, rawLines } from "./checkpoint-lines.ts";
import { type Note, parseNote } from "./note.ts";
import { readSnapshot, type SealedSnapshot } from "./sealed-snapshot.ts";
import { TREE_FILES, treeError } from "./tree-files.ts";

export interface TreeState extends SealedSnapshot {
  /** Of the last checkpoint; undefined where there is none yet. */
  readonly last:
    | (Checkpoint & { readonly note: Note; readonly signed: string; readonly timeMs: number })
    | undefined;
  /** They go on being written to by whoever seals. */
  readonly sealed: Map<string, number>;
  readonly ended: Map<string, number>;
  /** How many of its lines the snapshot stood for. */
  readonly snapshotLines: number;
}

/** `reading`: changes nothing. Throws SallyportError `audit-failed` that names the line. */
export function readTreeState(folder: string, mode: "reading" | "writing" = "writing"): TreeState {
  const path = join(folder, TREE_FILES.checkpoints);
  const snapshot = readSnapshot(folder) ?? NOTHING;
  const [sealed, ended] = [new Map(snapshot.sealed), new Map(snapshot.ended)];
  let { size, end, lines, line: text } = snapshot;
  for (const raw of rawLines(path, snapshot)) {
    if (raw.torn) {
      if (mode === "writing") truncateSync(path, end);
      break;
    }
    const line = parsed(path, raw, () => parseCheckpointLine(raw.text));
    for (const [segment, records, bytes] of line.parts) {
      size += records;
      sealed.set(segment, (sealed.get(segment) ?? 0) + bytes);
    }
    for (const { segment, torn } of line.ended) ended.set(segment, torn);
    if (line.size !== size) {
      throw broken(path, raw.number, `says ${line.size} records where its parts make ${size}`);
    }
    ({ end, number: lines, text } = raw);
  }
  const last = text === "" ? undefined : lastOf(path, text);
  return { size, last, sealed, ended, end, lines, snapshotLines: snapshot.lines, line: text };
}

/** What there is before the first checkpoint. */
const NOTHING: SealedSnapshot = {
  end: 0,
  lines: 0,
  line: "",
  size: 0,
  sealed: new Map(),
  ended: new Map(),
};

function lastOf(path: string, text: string): NonNullable<TreeState["last"]> {
  const raw = { number: "last" };
  const line = parsed(path, raw, () => parseCheckpointLine(text));
  const note = parsed(path, raw, () => parseNote(line.note));
  const checkpoint = parsed(path, raw, () => parseCheckpoint(note.text));
  if (checkpoint.size !== line.size) {
    throw broken(path, raw.number, `says ${line.size} records and signs ${checkpoint.size}`);
  }
  return { ...checkpoint, note, signed: line.note, timeMs: Date.parse(line.time) };
}

function parsed<T>(path: string, { number }: { number: number | string }, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown";
    throw broken(path, number, `does not read: ${why}`);
  }
}

function broken(path: string, line: number | string, what: string): Error {
  return treeError(
    path,
    `has a line ${line} that ${what}; see \`sallyport audit verify\`, put the folder back from a copy, or begin a new one`,
  );
}

/**
 * What the checkpoints of a folder say, last of all the last one: how many leaves there are, with which
 * root, and up to where each segment is sealed.
 *
 * A last line without its end is cut off: the crash came before anybody was told of it. Everything else
 * that does not fit is refused, since going on from it would be another log under the same name.
 */
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { type CheckpointLine, parseCheckpointLine, rawLines } from "./checkpoint-lines.ts";
import { type Note, parseNote } from "./note.ts";
import { TREE_FILES, treeError } from "./tree-files.ts";

export interface TreeState {
  readonly size: number;
  /** Of the last checkpoint; undefined where there is none yet. */
  readonly last:
    | (Checkpoint & { readonly note: Note; readonly signed: string; readonly timeMs: number })
    | undefined;
  /** Bytes of each segment that are sealed. */
  readonly sealed: Map<string, number>;
  /** Segments that ended, with the bytes of their torn last line. */
  readonly ended: Map<string, number>;
  /** Bytes of the file. */
  readonly end: number;
}

/** Throws SallyportError `audit-failed` that names the line. */
export function readTreeState(folder: string): TreeState {
  const path = join(folder, TREE_FILES.checkpoints);
  const sealed = new Map<string, number>();
  const ended = new Map<string, number>();
  let [size, end] = [0, 0];
  let lastLine: CheckpointLine | undefined;
  for (const raw of rawLines(path)) {
    if (raw.torn) {
      truncateSync(path, end);
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
    end = raw.end;
    lastLine = line;
  }
  const last = lastLine === undefined ? undefined : lastOf(path, lastLine);
  return { size, last, sealed, ended, end };
}

function lastOf(path: string, line: CheckpointLine): NonNullable<TreeState["last"]> {
  const raw = { number: "last" };
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

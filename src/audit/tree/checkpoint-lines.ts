/**
 * `checkpoints.jsonl`: one line of canonical JSON (RFC 8785) a checkpoint. It says which records it added
 * to the tree, file by file in the order of the leaves, and holds the signed note.
 *
 * Refuses a line in any other form: what two readers could take differently proves nothing.
 */
import { closeSync, readSync } from "node:fs";
import { isJsonObject, type JsonValue, parseJson } from "../../model/json.ts";
import { openFound, treeError } from "./tree-files.ts";

const LIMITS = {
  /** Bytes that are read at once. */
  chunk: 1 << 20,
  /** Bytes of a line: some hundred segments at once are far fewer. */
  line: 4 << 20,
} as const;

const LINE_FEED = 0x0a;

/** Records of one segment that a checkpoint adds: they follow those that were added of it before. */
export type Part = readonly [segment: string, records: number, bytes: number];

/** A segment that nothing is added to any more. */
export interface EndedSegment {
  /** Of whole lines. */
  readonly bytes: number;
  readonly segment: string;
  /** Bytes of a last line without its end. */
  readonly torn: number;
}

export interface CheckpointLine {
  readonly ended: readonly EndedSegment[];
  readonly note: string;
  readonly parts: readonly Part[];
  /** Leaves, those of `parts` included. */
  readonly size: number;
  readonly time: string;
}

export function checkpointLine({ ended, note, parts, size, time }: CheckpointLine): string {
  const ends = ended.map(({ bytes, segment, torn }) => ({ bytes, segment, torn }));
  return JSON.stringify({ ended: ends, note, parts, size, time });
}

/** Throws SyntaxError. */
export function parseCheckpointLine(line: string): CheckpointLine {
  const value = parseJson(line);
  if (!isJsonObject(value)) throw new SyntaxError("it is no object");
  const { ended, note, parts, size, time } = value;
  if (!isCount(size) || typeof note !== "string" || typeof time !== "string") {
    throw new SyntaxError("a member is missing");
  }
  const read = { ended: listOf(ended, endedOf), note, parts: listOf(parts, partOf), size, time };
  if (checkpointLine(read) !== line) throw new SyntaxError("it is not canonical");
  return read;
}

function endedOf(value: JsonValue): EndedSegment {
  if (!isJsonObject(value)) throw new SyntaxError("`ended` holds what is none");
  const { bytes, segment, torn } = value;
  if (!isCount(bytes) || typeof segment !== "string" || !isCount(torn)) {
    throw new SyntaxError("`ended` holds what is none");
  }
  return { bytes, segment, torn };
}

function partOf(value: JsonValue): Part {
  const [segment, records, bytes, ...more] = Array.isArray(value) ? (value as JsonValue[]) : [];
  const whole = typeof segment === "string" && isCount(records) && isCount(bytes);
  // A record takes a byte at least, and its end another.
  if (!whole || more.length > 0 || records > bytes / 2)
    throw new SyntaxError("`parts` holds what is none");
  return [segment, records, bytes];
}

function listOf<T>(value: JsonValue | undefined, read: (value: JsonValue) => T): T[] {
  if (!Array.isArray(value)) throw new SyntaxError("a member is missing");
  return (value as JsonValue[]).map(read);
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

export interface RawLine {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Bytes of the file up to its end, its line feed included. */
  readonly end: number;
  /** Without its line feed: a write that did not come to its end. */
  readonly torn: boolean;
}

/**
 * The lines of a file, none where there is no file; those behind the first `from.lines`, which end at the byte
 * `from.end`. Throws SallyportError `audit-failed`.
 */
export function* rawLines(path: string, from = { end: 0, lines: 0 }): Generator<RawLine> {
  const file = openFound(path);
  if (file === undefined) return;
  try {
    const chunk = Buffer.allocUnsafe(LIMITS.chunk);
    let [rest, position] = [Buffer.alloc(0), from.end];
    let { end, lines: number } = from;
    for (;;) {
      const read = readSync(file, chunk, 0, chunk.length, position);
      if (read === 0) break;
      position += read;
      const held = Buffer.concat([rest, chunk.subarray(0, read)]);
      let start = 0;
      for (let feed = held.indexOf(LINE_FEED); feed >= 0; feed = held.indexOf(LINE_FEED, start)) {
        const text = held.toString("utf8", start, feed);
        end += feed + 1 - start;
        start = feed + 1;
        number += 1;
        yield { text, number, end, torn: false };
      }
      rest = held.subarray(start);
      if (rest.length > LIMITS.line)
        throw treeError(path, `has a line ${number + 1} that is too long`);
    }
    if (rest.length > 0) {
      const text = rest.toString("utf8");
      yield { text, number: number + 1, end: end + rest.length, torn: true };
    }
  } finally {
    closeSync(file);
  }
}

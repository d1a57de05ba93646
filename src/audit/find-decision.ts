/**
 * Finds one decision in the folder of an audit log by its id, newest file first, and the completion that
 * belongs to it. It reads the files block by block, compressed ones too, and parses no line but those that
 * hold the id.
 *
 * It opens no link and nothing that is not a file, and takes no line that is longer than a record can be.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../model/errors.ts";
import { decisionTime } from "../platform/decision-id.ts";
import { codeOf } from "./files.ts";
import { compressedName, segmentFile, segmentsAmong, type SegmentFile } from "./segment-names.ts";
import {
  isRecordFault,
  parseRecord,
  type RecordedCompletion,
  type RecordedDecision,
} from "./record-schema.ts";
import { NotAFile, openSource } from "./segment-source.ts";
import { RECORD_LIMITS } from "./serialize.ts";

const LIMITS = {
  /** Bytes that are read at once; with a line that a block cuts, all that is held. */
  block: 1024 * 1024,
  /** Bytes of a line: a character of a record has at most three in UTF-8. */
  line: RECORD_LIMITS.line * 3,
  /** Milliseconds that clocks of workers may differ from those of the files: which are looked at first. */
  skewMs: 60_000,
} as const;

export interface FoundDecision {
  readonly decision: RecordedDecision;
  /** Undefined where there is none, or not in the file that has the decision or the one after it. */
  readonly completion: RecordedCompletion | undefined;
  /** Name of the file that has the decision. */
  readonly file: string;
  /** That file and the line in it, from 1, for people. */
  readonly place: () => Promise<string>;
}

/**
 * Undefined where no file has it. Throws SallyportError `audit-failed` where the folder cannot be read, or the
 * line that has the id is no record that this version knows.
 */
export async function findDecision(folder: string, id: string): Promise<FoundDecision | undefined> {
  const timeMs = decisionTime(id);
  if (timeMs === undefined) return undefined;
  const segments = await segmentsOf(folder);
  // Those that began after it only in case a clock went back.
  const early = segments.filter(({ startMs }) => startMs <= timeMs + LIMITS.skewMs);
  const late = segments.filter(({ startMs }) => startMs > timeMs + LIMITS.skewMs);
  for (const segment of [...early, ...late]) {
    const found = await searchFile(folder, segment.file, id);
    if (found.decision === undefined) continue;
    const { decision } = found;
    const next = segments.findLast(
      ({ instance, startMs }) => instance === segment.instance && startMs > segment.startMs,
    );
    const { completion = next && (await searchFile(folder, next.file, id)).completion } = found;
    const { file } = segment;
    return { decision, completion, file, place: () => placeOf(folder, file, found.offset ?? 0) };
  }
  return undefined;
}

/** Newest first. */
async function segmentsOf(folder: string): Promise<readonly SegmentFile[]> {
  try {
    return segmentsAmong(await readdir(folder)).toSorted(
      (left, right) => right.startMs - left.startMs || (left.segment < right.segment ? -1 : 1),
    );
  } catch (error) {
    throw failed(folder, error);
  }
}

/** What was planted in the log, or changed in it: where, and how that can be told. */
export function noRecord(place: string, why: string): SallyportError {
  const message = `audit: ${place} is no record of this log: ${why}; audit verify says what was changed`;
  return new SallyportError("audit-failed", message);
}

interface Found {
  readonly decision?: RecordedDecision;
  /** Bytes of the file before the decision. */
  readonly offset?: number;
  readonly completion?: RecordedCompletion;
}

async function searchFile(folder: string, name: string, id: string): Promise<Found> {
  const path = join(folder, name);
  let found: Found = {};
  try {
    for await (const { line, offset } of linesWith(path, `"decisionId":"${id}"`)) {
      const record = parseRecord(line);
      if (isRecordFault(record)) throw noRecord(await placeOf(folder, name, offset), record.fault);
      // One that was asked for by another decision names that one too.
      if (!("decisionId" in record) || record.decisionId !== id) continue;
      if (record.type === "decision") found = { ...found, decision: record, offset };
      else found = { ...found, completion: record };
    }
    return found;
  } catch (error) {
    if (error instanceof NotAFile) return found;
    if (codeOf(error) === "ENOENT") {
      // It was compressed meanwhile, or taken away: then it is in nobody's folder.
      return segmentFile(name)?.compressed === false
        ? await searchFile(folder, compressedName(name), id)
        : found;
    }
    throw error instanceof SallyportError ? error : failed(path, error);
  }
}

/** The line of a file that begins at this byte, for people: they count from 1. */
async function placeOf(folder: string, name: string, offset: number): Promise<string> {
  let number = 1;
  for await (const { bytes, start } of blocksOf(join(folder, name))) {
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
      if (start + at >= offset) return `line ${number} of ${name}`;
      number += 1;
    }
  }
  return name;
}

/** Lines with an end that hold the text. */
async function* linesWith(path: string, text: string): AsyncGenerator<Line> {
  for await (const block of blocksOf(path)) yield* matching(block, text);
}

interface Line {
  readonly line: string;
  /** Bytes of the file before it. */
  readonly offset: number;
}

/** Whole lines. */
interface Block {
  readonly bytes: Buffer;
  /** Bytes of the file before them. */
  readonly start: number;
}

async function* blocksOf(path: string): AsyncGenerator<Block> {
  const source = await openSource(path, { compressed: path.endsWith(".gz"), position: 0 });
  try {
    const block = Buffer.allocUnsafe(LIMITS.block + LIMITS.line);
    let kept = 0;
    for (;;) {
      const start = source.position - kept;
      const filled = await source.fill(block.subarray(kept, kept + LIMITS.block));
      if (filled === 0) return;
      source.skip(filled);
      const held = block.subarray(0, kept + filled);
      const end = held.lastIndexOf(LINE_FEED) + 1;
      yield { bytes: held.subarray(0, end), start };
      // What is longer than a line can be is none, and is not held.
      const rest = held.length - end > LIMITS.line ? held.length : end;
      held.copyWithin(0, rest);
      kept = held.length - rest;
    }
  } finally {
    await source.close();
  }
}

const LINE_FEED = 0x0a;

function* matching({ bytes, start: before }: Block, text: string): Generator<Line> {
  for (let at = bytes.indexOf(text); at >= 0;) {
    const start = bytes.lastIndexOf(LINE_FEED, at) + 1;
    const end = bytes.indexOf(LINE_FEED, at);
    yield { line: bytes.toString("utf8", start, end), offset: before + start };
    at = bytes.indexOf(text, end);
  }
}

function failed(path: string, cause: unknown): SallyportError {
  const why = codeOf(cause) ?? "unknown";
  return new SallyportError("audit-failed", `audit: ${path} cannot be read (${why})`, { cause });
}

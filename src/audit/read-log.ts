/**
 * Reads the lines of an audit log, file by file, with bounded memory, while it is being written too.
 * Lists the files of a folder in the order of their names, or takes one file by itself.
 *
 * A line without its line feed at the end of a file is torn or still being written: no record. One that
 * is longer than any record is left out and counted as a fault.
 */
import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../model/errors.ts";
import { codeOf } from "./files.ts";
import { openPacked } from "./packed-segment.ts";
import { segmentsAmong } from "./segment-names.ts";
import { RECORD_LIMITS } from "./serialize.ts";

const LIMITS = {
  /** Bytes read at once: large enough that reading costs nothing beside parsing. */
  chunk: 1 << 20,
  /** Bytes of a line; a character of a record has at most three in UTF-8. */
  line: RECORD_LIMITS.line * 3,
} as const;

const LINE_FEED = 0x0a;

/** Lines that are records, and how many were none. */
export interface LineBatch {
  /** Whole lines, without their line feed. */
  readonly lines: readonly string[];
  /** Lines that were too long. */
  readonly overlong: number;
}

/**
 * The files of a log. Those of a folder that began after `untilMs` are left out. Throws SallyportError
 * `audit-failed` where there is none.
 */
export async function logFiles(path: string, untilMs = Infinity): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    // A link may lead to records that nobody sealed, while those that were lie compressed beside it.
    const entries = await readdir(path, { withFileTypes: true });
    const segments = segmentsAmong(entries.filter((one) => one.isFile()).map(({ name }) => name));
    if (segments.length === 0) throw failed(path, "holds no audit-*.jsonl");
    return segments.filter(({ startMs }) => startMs <= untilMs).map(({ file }) => join(path, file));
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw failed(path, `cannot be read (${codeOf(error) ?? "unknown"})`, error);
  }
}

/** Throws SallyportError `audit-failed` where the file cannot be read. */
export async function* readLines(file: string): AsyncGenerator<LineBatch> {
  let rest: Buffer = Buffer.alloc(0);
  let skipping = false;
  try {
    for await (const bytes of chunksOf(file)) {
      const last = bytes.lastIndexOf(LINE_FEED);
      if (last === -1) {
        // The line goes on. What is too long is not kept.
        if (!skipping) rest = Buffer.concat([rest, bytes]);
        if (rest.length > LIMITS.line) [rest, skipping] = [Buffer.alloc(0), true];
        continue;
      }
      const first = bytes.indexOf(LINE_FEED);
      const begin = skipping ? first + 1 : 0;
      const whole = Buffer.concat([rest, bytes.subarray(begin, last + 1)]);
      yield batchOf(whole, skipping ? 1 : 0);
      skipping = false;
      rest = Buffer.from(bytes.subarray(last + 1));
    }
  } catch (error) {
    throw failed(file, `cannot be read (${codeOf(error) ?? "unknown"})`, error);
  }
}

/** What was compressed, as it was before. */
async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  if (!file.endsWith(".gz")) {
    yield* createReadStream(file, { highWaterMark: LIMITS.chunk }) as AsyncIterable<Buffer>;
    return;
  }
  const handle = await open(file);
  try {
    yield* (await openPacked(handle.fd)).read(0);
  } finally {
    await handle.close();
  }
}

/** `bytes` ends with a line feed, or is empty. */
function batchOf(bytes: Buffer, overlong: number): LineBatch {
  if (bytes.length === 0) return { lines: [], overlong };
  const lines = bytes.toString("utf8", 0, bytes.length - 1).split("\n");
  const taken = lines.filter((line) => line.length <= RECORD_LIMITS.line);
  return { lines: taken, overlong: overlong + lines.length - taken.length };
}

function failed(path: string, what: string, cause?: unknown): SallyportError {
  return new SallyportError("audit-failed", `audit: ${path} ${what}`, { cause });
}

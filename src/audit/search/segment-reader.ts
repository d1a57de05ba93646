/**
 * Segments of a log as the index, `tail` and `export` read them: whole lines from a byte on, of
 * segments that are still written and of those that were compressed since. A segment keeps its name
 * and its bytes when it is compressed; only its file ends in `.gz` then.
 *
 * Opens no link and nothing that is not a file.
 */
import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../../model/errors.ts";
import { codeOf } from "../files.ts";
import { DamagedSegment, openPacked, type PackedSegment } from "../packed-segment.ts";
import { RECORD_LIMITS } from "../serialize.ts";

const LIMITS = {
  /** Bytes read at once: large enough that reading costs nothing beside parsing. */
  chunk: 4 << 20,
  /** Bytes of a line; a character of a record has at most three in UTF-8. What is longer is no record. */
  line: RECORD_LIMITS.line * 3,
  /** Bytes read for one line at first: most are shorter. */
  first: 2048,
} as const;

const LINE_FEED = 0x0a;
const SEGMENT = /^(audit-(\d{8}T\d{6}\.\d{3}Z)-\d+[A-Za-z0-9-]*\.jsonl)(\.gz)?$/;

export interface Segment {
  /** `audit-<start>-<instance>.jsonl`, also of one that is compressed. */
  readonly name: string;
  readonly path: string;
  readonly packed: boolean;
  readonly startMs: number;
  readonly inode: number;
  /** Bytes of the file, compressed or not. */
  readonly size: number;
  readonly changedMs: number;
}

/** In the order of their names, and so of their starts. Throws SallyportError `audit-failed`. */
export async function listSegments(folder: string): Promise<readonly Segment[]> {
  const names = await namesOf(folder);
  const found = new Map<string, Segment>();
  for (const file of names.toSorted()) {
    const [, name, start = "", packed] = SEGMENT.exec(file) ?? [];
    // While it is being compressed there are both, and the one that was there first has all.
    if (name === undefined || found.has(name)) continue;
    const path = join(folder, file);
    const figures = await figuresOf(path);
    if (figures === undefined) continue;
    found.set(name, {
      name,
      path,
      packed: packed !== undefined,
      startMs: startOf(start),
      inode: figures.ino,
      size: figures.size,
      changedMs: figures.mtimeMs,
    });
  }
  return [...found.values()];
}

/** Whole lines, each with its line feed. The memory serves again. */
export interface WholeLines {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * From the line that begins at `from` to the last whole one. A line that is longer than a record is
 * passed over: `offset` and length then leave a gap. Nothing where the segment is gone.
 */
export async function* readSegment(segment: Segment, from: number): AsyncGenerator<WholeLines> {
  const file = await openSegment(segment.path);
  if (file === undefined) return;
  try {
    const chunks = segment.packed
      ? (await openPacked(file.fd)).read(from)
      : plainChunks(file, from);
    yield* wholeLines(chunks, from);
  } catch (error) {
    throw error instanceof SallyportError ? error : unreadable(segment.path, error);
  } finally {
    await file.close();
  }
}

/**
 * The line at each offset, without its line feed; undefined where there is none. `offsets` ascend.
 * Undefined instead of the list where the file is gone: removed, or compressed a moment ago.
 */
export async function readLinesAt(
  segment: Segment,
  offsets: readonly number[],
): Promise<readonly (string | undefined)[] | undefined> {
  const file = await openSegment(segment.path);
  if (file === undefined) return undefined;
  try {
    if (segment.packed) return await packedLines(await openPacked(file.fd), offsets);
    const lines: (string | undefined)[] = [];
    for (const offset of offsets) lines.push(await plainLine(file, offset));
    return lines;
  } catch (error) {
    throw unreadable(segment.path, error);
  } finally {
    await file.close();
  }
}

/**
 * The whole lines among the last `length` bytes of a compressed segment, or some more; undefined where only
 * reading all of it would tell.
 */
export async function lastPackedLines(
  segment: Segment,
  length: number,
): Promise<Buffer | undefined> {
  const file = await openSegment(segment.path);
  if (file === undefined) return undefined;
  try {
    const packed = await openPacked(file.fd);
    if (packed.size === undefined) return undefined;
    const start = packed.startOf(Math.max(0, packed.size - length));
    const lines: Buffer[] = [];
    for await (const { bytes } of wholeLines(packed.read(start), start))
      lines.push(Buffer.from(bytes));
    return Buffer.concat(lines);
  } catch (error) {
    throw unreadable(segment.path, error);
  } finally {
    await file.close();
  }
}

/** Up to `length` bytes before `end`, of a segment that is not compressed. */
export async function bytesBefore(segment: Segment, end: number, length: number): Promise<Buffer> {
  const file = await openSegment(segment.path);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const wanted = Math.min(end, length);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, end - wanted);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* wholeLines(
  chunks: AsyncIterable<Buffer>,
  from: number,
): AsyncGenerator<WholeLines> {
  let rest = Buffer.alloc(0);
  /** Offset of `rest`, or of what comes when there is none. */
  let offset = from;
  let skipping = false;
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (skipping) {
      const end = bytes.indexOf(LINE_FEED) + 1;
      const skipped = end === 0 ? bytes.length : end;
      skipping = end === 0;
      offset += skipped;
      bytes = bytes.subarray(skipped);
    }
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) yield { offset, bytes: bytes.subarray(0, end) };
    offset += end;
    // Copied: the chunk's memory serves again.
    rest = Buffer.from(bytes.subarray(end));
    if (rest.length > LIMITS.line) {
      skipping = true;
      offset += rest.length;
      rest = Buffer.alloc(0);
    }
  }
}

async function* plainChunks(file: FileHandle, from: number): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(LIMITS.chunk);
  for (let position = from; ;) {
    const { bytesRead } = await file.read(block, 0, block.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

/** Each piece of the file that has one of them is inflated once. */
async function packedLines(
  packed: PackedSegment,
  offsets: readonly number[],
): Promise<(string | undefined)[]> {
  let lines: AsyncGenerator<WholeLines> | undefined;
  let block: Buffer = Buffer.alloc(0);
  let end = 0;
  const found: (string | undefined)[] = [];
  try {
    for (const wanted of offsets) {
      while (wanted >= end) {
        const start = packed.startOf(wanted);
        if (lines === undefined || start > end) {
          await lines?.return(undefined);
          lines = wholeLines(packed.read(start), start);
        }
        const next = await lines.next();
        if (next.done === true) return offsets.map((_, index) => found[index]);
        block = next.value.bytes;
        end = next.value.offset + block.length;
      }
      found.push(lineAt(block, wanted - (end - block.length)));
    }
    return found;
  } finally {
    await lines?.return(undefined);
  }
}

/** Undefined where no line begins there. */
function lineAt(lines: Buffer, start: number): string | undefined {
  const begins = start === 0 || (start > 0 && lines[start - 1] === LINE_FEED);
  return begins ? lines.toString("utf8", start, lines.indexOf(LINE_FEED, start)) : undefined;
}

async function plainLine(file: FileHandle, offset: number): Promise<string | undefined> {
  for (let length: number = LIMITS.first; ; length = LIMITS.line + 1) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    const end = buffer.subarray(0, bytesRead).indexOf(LINE_FEED);
    if (end >= 0) return buffer.toString("utf8", 0, end);
    if (bytesRead < length || length > LIMITS.line) return undefined;
  }
}

async function openSegment(path: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (error) {
    // Taken away since the folder was read: by then it is nobody's.
    if (codeOf(error) === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
}

async function namesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw unreadable(folder, error);
  }
}

async function figuresOf(path: string): Promise<Stats | undefined> {
  try {
    const figures = await lstat(path);
    return figures.isFile() ? figures : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
}

function startOf(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, "$1-$2-$3T$4:$5:"));
}

function unreadable(path: string, cause: unknown): SallyportError {
  const why = codeOf(cause) ?? "unknown";
  // Without the rest of its records an answer would be taken for all there is, so there is none.
  const remedy =
    cause instanceof DamagedSegment
      ? "; put it back from a copy, or look in a copy of the folder without it"
      : "";
  const message = `audit: ${path} cannot be read (${why})${remedy}`;
  return new SallyportError("audit-failed", message, { cause });
}

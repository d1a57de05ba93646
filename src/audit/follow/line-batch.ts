/** Whole lines of one segment, parsed when the first consumer asks and then for all of them. */
import type { RecordBatch, RecordLine } from "../../model/record-feed.ts";
import { codeOf } from "../files.ts";
import { parseRecordLine } from "../record-line.ts";
import type { SegmentSource } from "../segment-source.ts";

const LIMITS = {
  /** Bytes read at once: large enough that reading costs nothing beside parsing. It holds several of the longest records. */
  chunk: 1 << 20,
  /**
   * Bytes of a line that is no record. A machine that lost its power may leave zeros where lines were;
   * what is longer than what a disk loses at once is looked at by nobody but people.
   */
  line: 64 << 20,
} as const;

const LINE_FEED = 0x0a;

/** Room for what is read, which serves again and again. */
export class Room {
  #bytes = Buffer.allocUnsafeSlow(LIMITS.chunk);

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** For a line that is longer than what there is; false where it is longer than any may be. */
  grow(): boolean {
    if (this.#bytes.length >= LIMITS.line) return false;
    this.#bytes = Buffer.allocUnsafeSlow(this.#bytes.length * 4);
    return true;
  }

  /** After such a line. */
  shrink(): void {
    if (this.#bytes.length > LIMITS.chunk) this.#bytes = Buffer.allocUnsafeSlow(LIMITS.chunk);
  }
}

export interface Read {
  /** Undefined where there is no whole line. */
  readonly batch: LineBatch | undefined;
  /** Bytes behind the last line feed: of a line that is being written, or torn. */
  readonly rest: number;
}

/** The whole lines that follow in `source`, as many as fit; moves it on behind them. */
export async function readBatch(
  source: SegmentSource,
  segment: string,
  { room, maxBytes, bad }: ReadOptions,
): Promise<Read> {
  room.shrink();
  for (let bytes = room.bytes.subarray(0, maxBytes); ;) {
    const filled = await source.fill(bytes);
    const size = bytes.subarray(0, filled).lastIndexOf(LINE_FEED) + 1;
    if (size > 0) {
      const offset = source.position;
      source.skip(size);
      const batch = new LineBatch({ segment, offset, bytes: bytes.subarray(0, size), bad });
      return { batch, rest: filled - size };
    }
    if (filled < bytes.length) return { batch: undefined, rest: filled };
    if (bytes.length === room.bytes.length && !room.grow()) throw new EndlessLine(segment);
    bytes = room.bytes;
  }
}

export interface ReadOptions {
  readonly room: Room;
  readonly maxBytes: number;
  /** Told of lines that are no records, once each time they are parsed. */
  readonly bad: (lines: number) => void;
}

/** A line that is longer than all that is read. */
export class EndlessLine extends Error {
  override readonly name = "EndlessLine";

  constructor(segment: string) {
    super(`${segment} has a line of more than ${LIMITS.line} bytes`);
  }
}

interface Parts {
  readonly segment: string;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly bad: (lines: number) => void;
}

export class LineBatch implements RecordBatch {
  readonly segment: string;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly #bad: (lines: number) => void;
  #count: number | undefined;
  #entries: readonly RecordLine[] | undefined;

  constructor({ segment, offset, bytes, bad }: Parts) {
    this.segment = segment;
    this.offset = offset;
    this.bytes = bytes;
    this.#bad = bad;
  }

  get count(): number {
    this.#count ??= countLines(this.bytes);
    return this.#count;
  }

  entries(): readonly RecordLine[] {
    this.#entries ??= this.#parse();
    return this.#entries;
  }

  /** What lies behind that many bytes of the segment, for one who knows of what lies before. */
  from(offset: number): LineBatch {
    const bytes = this.bytes.subarray(offset - this.offset);
    // Each line is counted once as bad, by who was given all of them.
    return new LineBatch({ segment: this.segment, offset, bytes, bad: () => undefined });
  }

  #parse(): readonly RecordLine[] {
    const lines = this.bytes.toString("utf8", 0, this.bytes.length - 1).split("\n");
    const entries: RecordLine[] = [];
    for (const line of lines) {
      const entry = parseRecordLine(line);
      if (entry !== undefined) entries.push(entry);
    }
    if (entries.length < lines.length) this.#bad(lines.length - entries.length);
    return entries;
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}

/** That the file is gone, or cannot be opened because it is no file of ours. */
export function isGone(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

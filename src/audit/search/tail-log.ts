/**
 * The end of a log, and what is written to it from then on, in all its segments: new ones are picked up.
 * Needs no index, and holds no more than the last stretch of the newest segments.
 */
import type { RecordLine } from "../../model/record-feed.ts";
import { parseRecordLine } from "../record-line.ts";
import { createMatcher, type RecordFilter } from "./filter.ts";
import {
  bytesBefore,
  lastPackedLines,
  listSegments,
  readSegment,
  type Segment,
} from "./segment-reader.ts";

const LIMITS = {
  /** Bytes at the end of a segment that are looked through for its last records. */
  stretch: 1 << 20,
  /** Newest segments whose ends are looked at: each worker writes one. */
  segments: 64,
} as const;

const LINE_FEED = 0x0a;

export interface TailOptions {
  readonly filter: RecordFilter;
  /** Records from before now. */
  readonly lines: number;
}

export interface TailedRecord {
  readonly line: string;
  readonly record: RecordLine;
}

export class LogTail {
  readonly #folder: string;
  readonly #matches: (record: RecordLine) => boolean;
  readonly #lines: number;
  /** Bytes of each segment that were given. */
  readonly #positions = new Map<string, number>();

  constructor(folder: string, { filter, lines }: TailOptions) {
    this.#folder = folder;
    this.#matches = createMatcher(filter);
    this.#lines = lines;
  }

  /** The last ones, in the order of their times. Throws SallyportError `audit-failed`. */
  async last(): Promise<readonly TailedRecord[]> {
    const segments = await listSegments(this.#folder);
    for (const { name } of segments) this.#positions.set(name, Infinity);
    const records: TailedRecord[] = [];
    for (const segment of segments.slice(-LIMITS.segments)) {
      if (segment.packed) {
        records.push(
          ...this.#taken((await lastPackedLines(segment, LIMITS.stretch)) ?? Buffer.alloc(0)),
        );
        continue;
      }
      const stretch = await bytesBefore(segment, segment.size, LIMITS.stretch);
      const end = stretch.lastIndexOf(LINE_FEED) + 1;
      // A line that goes on beyond the stretch is waited for from its own beginning.
      this.#positions.set(segment.name, segment.size - stretch.length + end);
      const start = segment.size > stretch.length ? stretch.indexOf(LINE_FEED) + 1 : 0;
      records.push(...this.#taken(stretch.subarray(start, Math.max(start, end))));
    }
    const ordered = records.toSorted((a, b) => (a.record.time < b.record.time ? -1 : 1));
    return ordered.slice(Math.max(0, ordered.length - this.#lines));
  }

  /** What was written since, segment by segment. */
  async *next(): AsyncGenerator<readonly TailedRecord[]> {
    for (const segment of await listSegments(this.#folder)) {
      const position = this.#positions.get(segment.name) ?? 0;
      if (!segment.packed && segment.size <= position) continue;
      yield* this.#since(segment, position);
      // Compressed ones do not grow.
      if (segment.packed) this.#positions.set(segment.name, Infinity);
    }
  }

  async *#since(segment: Segment, position: number): AsyncGenerator<readonly TailedRecord[]> {
    if (position === Infinity) return;
    for await (const { offset, bytes } of readSegment(segment, position)) {
      this.#positions.set(segment.name, offset + bytes.length);
      yield this.#taken(bytes);
    }
  }

  #taken(bytes: Buffer): readonly TailedRecord[] {
    const lines = bytes.toString("utf8").split("\n").slice(0, -1);
    return lines.flatMap((line) => {
      const record = parseRecordLine(line);
      return record !== undefined && this.#matches(record) ? [{ line, record }] : [];
    });
  }
}

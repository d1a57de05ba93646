/** The records that come next for a sink, as many as go at once, and where it stands behind them. */
import type { RecordLine } from "../../model/record-feed.ts";
import type { Positions } from "./positions.ts";
import type { RecordSource, SegmentFigures } from "./record-source.ts";
import type { SinkRecord } from "./sink.ts";
import type { SinkOptions } from "./sink-options.ts";

const LIMITS = {
  /** Reads for one batch: where a filter takes few, others get their turn between. */
  reads: 16,
} as const;

const LINE_FEED = 0x0a;

export interface Gathered {
  readonly records: readonly SinkRecord[];
  /** Bytes of the lines in it. */
  readonly bytes: number;
  /** Where the sink stands once they are delivered. */
  readonly ends: ReadonlyMap<string, number>;
  /** Segments that have nothing more. */
  readonly finished: readonly string[];
  /** Lines that are no records. */
  readonly unreadable: number;
  /** Whether more is there than goes at once. */
  readonly full: boolean;
}

export interface GatherOptions {
  readonly filter: Filter;
  readonly maxRecords: number;
  readonly maxBytes: number;
}

export type Filter = (entry: RecordLine) => boolean;

export function createFilter({ only, decisions }: Pick<SinkOptions, "only" | "decisions">): Filter {
  return (entry) => {
    if (only !== undefined && !only.includes(entry.type)) return false;
    return (
      decisions === undefined || entry.type !== "decision" || decisions.includes(entry.decision)
    );
  };
}

export async function gather(
  source: RecordSource,
  state: { readonly segments: readonly SegmentFigures[]; readonly positions: Positions },
  options: GatherOptions,
): Promise<Gathered> {
  const batch = new Batch(options);
  for (const { segment, bytes, final } of state.segments) {
    const end = final ? Number.POSITIVE_INFINITY : bytes;
    for (let offset = state.positions.of(segment); offset < end;) {
      if (batch.full || batch.reads >= LIMITS.reads) return batch.gathered(true);
      batch.reads += 1;
      const lines = await source.read(segment, offset, options.maxBytes);
      if (lines.length === 0) {
        if (final) batch.finished.push(segment);
        break;
      }
      offset += batch.take(segment, offset, lines);
      batch.ends.set(segment, offset);
    }
  }
  return batch.gathered(batch.full);
}

class Batch {
  readonly ends = new Map<string, number>();
  readonly finished: string[] = [];
  readonly #options: GatherOptions;
  readonly #records: SinkRecord[] = [];
  #bytes = 0;
  #unreadable = 0;
  reads = 0;
  full = false;

  constructor(options: GatherOptions) {
    this.#options = options;
  }

  /** Takes lines until the batch is full; how many bytes of them are dealt with. */
  take(segment: string, offset: number, lines: Uint8Array): number {
    const { maxRecords, maxBytes, filter } = this.#options;
    const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength);
    let from = 0;
    while (from < bytes.length) {
      const end = bytes.indexOf(LINE_FEED, from);
      if (end === -1) break;
      const line = bytes.toString("utf8", from, end);
      const entry = parse(line);
      if (entry === undefined) {
        this.#unreadable += 1;
      } else if (filter(entry)) {
        const size = end - from;
        const room = this.#records.length < maxRecords && this.#bytes + size <= maxBytes;
        // One that is longer than all that may go at once goes alone.
        if (!room && this.#records.length > 0) {
          this.full = true;
          break;
        }
        this.#records.push({ id: `${segment}:${offset + from}`, line, entry });
        this.#bytes += size;
      }
      from = end + 1;
    }
    if (this.#records.length >= maxRecords) this.full = true;
    return from;
  }

  gathered(full: boolean): Gathered {
    const { ends, finished } = this;
    const unreadable = this.#unreadable;
    return { records: this.#records, bytes: this.#bytes, ends, finished, unreadable, full };
  }
}

/** Looked at no closer than that it can be told what it is: the log is ours. */
function parse(line: string): RecordLine | undefined {
  try {
    const entry = JSON.parse(line) as Partial<RecordLine> | null;
    return typeof entry?.type === "string" ? (entry as RecordLine) : undefined;
  } catch {
    return undefined;
  }
}

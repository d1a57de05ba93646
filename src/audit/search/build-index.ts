/**
 * Brings the index up to what is in the segments. What was read of a segment and how far it was read
 * are written in one transaction, so a crash at any moment leaves an index that goes on from there.
 *
 * A segment that is gone leaves the index; one that is not what was read (shorter, other bytes) is
 * read anew. The log itself is never changed.
 */
import { createHash } from "node:crypto";
import { Block, dropBlocks } from "./block.ts";
import { entryOf } from "./entry.ts";
import type { IndexFile } from "./index-file.ts";
import { bytesBefore, listSegments, readSegment, type Segment } from "./segment-reader.ts";

const LIMITS = {
  /** Bytes of a segment that are read in one transaction: others wait no longer than that takes. */
  step: 64 << 20,
  /** Bytes before the position whose hash says whether the segment is still the one that was read. */
  tail: 4096,
} as const;

const LINE_FEED = 0x0a;

export interface BuildDeps {
  /** Milliseconds that only go up. */
  readonly monotonic: () => number;
  /** What is being done, for people; called at most once in a while. */
  readonly progress?: (done: BuildProgress) => void;
  /** Whether to stop between two steps. */
  readonly stopped?: () => boolean;
}

export interface BuildProgress {
  readonly records: number;
  /** Bytes of records that were read, of about `total`. */
  readonly bytes: number;
  readonly total: number;
}

/** What was done. */
export interface Built {
  readonly segments: number;
  /** Records that were added. */
  readonly records: number;
  /** Lines among them that are no records of a version that we know. */
  readonly faults: number;
  /** Segments that had to be read anew, or are gone. */
  readonly dropped: readonly string[];
}

/** What the file knows of a segment. */
interface Known {
  readonly number: number;
  readonly name: string;
  readonly position: number;
  readonly tail: Uint8Array;
  readonly inode: number;
  readonly size: number;
  readonly changedMs: number;
  readonly packed: boolean;
}

/** Throws SallyportError `audit-failed` where a segment cannot be read, and what SQLite throws. */
export async function bringUpToDate(
  folder: string,
  file: IndexFile,
  deps: BuildDeps,
): Promise<Built> {
  const segments = await listSegments(folder);
  const dropped = await dropContradicted(file, segments);
  const known = knownSegments(file);
  const behind = segments.filter((segment) => !isCurrent(segment, known.get(segment.name)));
  const run = new Run(file, deps, bytesToRead(behind, known));
  for (const segment of behind) {
    if (deps.stopped?.() === true) break;
    await run.catchUp(segment);
  }
  return { segments: segments.length, records: run.records, faults: run.faults, dropped };
}

class Run {
  readonly #file: IndexFile;
  readonly #deps: BuildDeps;
  readonly #total: number;
  #bytes = 0;
  records = 0;
  faults = 0;

  constructor(file: IndexFile, deps: BuildDeps, total: number) {
    this.#file = file;
    this.#deps = deps;
    this.#total = total;
  }

  async catchUp(segment: Segment): Promise<void> {
    const lines = this.#linesFrom(segment);
    try {
      for (;;) {
        // Each step in a transaction of its own; one that is nothing new but the figures of the file is the last.
        const more = await this.#file.write(() => this.#step(segment, lines));
        this.#deps.progress?.({ records: this.records, bytes: this.#bytes, total: this.#total });
        if (!more || this.#deps.stopped?.() === true) break;
      }
    } finally {
      await lines.close();
    }
  }

  /** Opened within the first step, when nobody else can move the position. */
  #linesFrom(segment: Segment): SegmentLines {
    return new SegmentLines(segment);
  }

  async #step(segment: Segment, lines: SegmentLines): Promise<boolean> {
    const file = this.#file;
    const known = knownSegments(file).get(segment.name);
    const number = known?.number ?? addSegment(file, segment.name);
    const position = known?.position ?? 0;
    lines.moveTo(position);
    let block = Block.reopen(file, number);
    let faults = 0;
    let end = position;
    let tail: Uint8Array | undefined;
    let more = true;
    while (end - position < LIMITS.step) {
      const next = await lines.next();
      if (next === undefined) {
        more = false;
        break;
      }
      for (let start = 0; start < next.bytes.length;) {
        const feed = next.bytes.indexOf(LINE_FEED, start);
        const entry = entryOf(next.bytes.toString("utf8", start, feed));
        const offset = next.offset + start;
        start = feed + 1;
        if (entry === undefined) {
          faults += 1;
          continue;
        }
        block ??= new Block(number, offset);
        if (!block.add(file, offset, entry)) {
          block.save(file);
          block = new Block(number, offset);
          block.add(file, offset, entry);
        }
        this.records += 1;
      }
      end = next.offset + next.bytes.length;
      tail = tailHash(next.bytes);
    }
    block?.save(file);
    lines.position = end;
    this.faults += faults;
    this.#bytes += end - position;
    file.run(
      `UPDATE segments SET position = ?, tail = coalesce(?, tail), inode = ?, size = ?,
        changed_ms = ?, packed = ?, faults = faults + ? WHERE number = ?`,
      end,
      tail ?? null,
      segment.inode,
      // Only when all of it was read does the file's size say that nothing is new.
      more ? -1 : segment.size,
      segment.changedMs,
      segment.packed ? 1 : 0,
      faults,
      number,
    );
    return more;
  }
}

/** Lines of a segment, read on over several steps; from another place where somebody else was faster. */
class SegmentLines {
  readonly #segment: Segment;
  position = -1;
  #lines: AsyncGenerator<{ readonly offset: number; readonly bytes: Buffer }> | undefined;

  constructor(segment: Segment) {
    this.#segment = segment;
  }

  moveTo(position: number): void {
    if (this.#lines !== undefined && this.position === position) return;
    this.#lines = readSegment(this.#segment, position);
    this.position = position;
  }

  async next(): Promise<{ readonly offset: number; readonly bytes: Buffer } | undefined> {
    const step = await this.#lines?.next();
    return step === undefined || step.done === true ? undefined : step.value;
  }

  async close(): Promise<void> {
    await this.#lines?.return(undefined);
  }
}

function knownSegments(file: IndexFile): ReadonlyMap<string, Known> {
  const text = "SELECT number, name, position, tail, inode, size, changed_ms, packed FROM segments";
  return new Map(
    file.rows(text).map((row) => {
      const [number, name, position, tail, inode, size, changedMs, packed] = row as [
        number,
        string,
        number,
        Uint8Array,
        number,
        number,
        number,
        number,
      ];
      const known = { number, name, position, tail, inode, size, changedMs, packed: packed === 1 };
      return [name, known];
    }),
  );
}

function addSegment(file: IndexFile, name: string): number {
  return file.run(
    `INSERT INTO segments (name, position, tail, inode, size, changed_ms, packed, faults)
      VALUES (?, 0, x'', 0, -1, 0, 0, 0)`,
    name,
  );
}

/** Whether nothing was written to it since all of it was read. */
function isCurrent(segment: Segment, known: Known | undefined): boolean {
  return known !== undefined && known.size === segment.size && isSameFile(segment, known);
}

function isSameFile(segment: Segment, known: Known): boolean {
  return (
    known.inode === segment.inode &&
    known.changedMs === segment.changedMs &&
    known.packed === segment.packed
  );
}

async function dropContradicted(
  file: IndexFile,
  segments: readonly Segment[],
): Promise<readonly string[]> {
  const there = new Map(segments.map((segment) => [segment.name, segment]));
  const wrong: Known[] = [];
  for (const known of knownSegments(file).values()) {
    const segment = there.get(known.name);
    if (segment === undefined || (await contradicts(segment, known))) wrong.push(known);
  }
  if (wrong.length > 0) {
    await file.write(() => {
      for (const { number } of wrong) {
        dropBlocks(file, number);
        file.run("DELETE FROM segments WHERE number = ?", number);
      }
    });
  }
  return wrong.map(({ name }) => name);
}

/** Whether the segment cannot be the one that was read, only longer or compressed since. */
async function contradicts(segment: Segment, known: Known): Promise<boolean> {
  if (known.position === 0 || isCurrent(segment, known)) return false;
  if (segment.packed) {
    // Compressed since: its bytes are the same. One that was compressed already never changes.
    return known.packed && known.size >= 0 && !isSameFile(segment, known);
  }
  // Once all of it was read, only a longer file can be the same one that has changed.
  if (known.packed || segment.size < known.position) return true;
  if (known.size >= 0 && segment.size <= known.size) return true;
  const tail = tailHash(await bytesBefore(segment, known.position, LIMITS.tail));
  return !Buffer.from(tail).equals(known.tail);
}

/** Of the last line that was read, as far as it goes back. */
function tailHash(bytes: Buffer): Uint8Array {
  const start = bytes.lastIndexOf(LINE_FEED, bytes.length - 2) + 1;
  const tail = bytes.subarray(Math.max(start, bytes.length - LIMITS.tail));
  return createHash("sha256").update(tail).digest();
}

function bytesToRead(segments: readonly Segment[], known: ReadonlyMap<string, Known>): number {
  /** How much smaller gzip makes records, about. */
  const packing = 10;
  return segments.reduce((sum, { name, packed, size }) => {
    const whole = packed ? size * packing : size;
    return sum + Math.max(0, whole - (known.get(name)?.position ?? 0));
  }, 0);
}

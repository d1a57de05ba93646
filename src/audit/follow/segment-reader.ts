/**
 * Reads all segments of a folder from a position of its own, for those who lag: what has to wait for the
 * network asks for the next piece when it is ready for it. The position is plain data, to be kept.
 *
 * A segment that was removed before it was read is passed over, and counted.
 */
import { join } from "node:path";
import type { RecordBatch } from "../../model/record-feed.ts";
import type { SegmentFile } from "../segment-names.ts";
import { openSource, type SegmentSource } from "../segment-source.ts";
import { FolderListing } from "./folder-listing.ts";
import { isGone, readBatch, Room } from "./line-batch.ts";
import { createWriters, type Writers } from "./writers.ts";

const LIMITS = {
  /** Milliseconds between looks at which files there are. */
  listMs: 1000,
  /**
   * Segments read to their end that are named in the position. Those before count as read without being
   * named: a clock that goes back would have to go behind so many files for one to be missed.
   */
  named: 64,
} as const;

/** Where a reader stands. */
export interface ReaderPosition {
  /** Segments up to this name are read, save those that are named in `at`. */
  readonly after: string;
  /** Bytes read of a segment; -1: read to its end. */
  readonly at: Readonly<Record<string, number>>;
}

/** From the first record, from what is written from now on, or from a kept position. */
export type ReaderStart = "first" | "now" | ReaderPosition;

export interface SegmentReaderDeps {
  /** Milliseconds on a clock that never goes back. */
  readonly monotonic: () => number;
  /** Told of each segment that was removed before it was read. */
  readonly missed?: (segment: string) => void;
  /** Told of lines that are no records. */
  readonly bad?: (lines: number) => void;
  readonly writers?: Writers;
}

export interface SegmentReader {
  /**
   * The next whole lines, at most `maxBytes` of them (more where one line is longer); undefined where
   * there are none now. Its bytes are good until the next call. Rejects with what the file system says.
   */
  next(maxBytes: number): Promise<RecordBatch | undefined>;
  /** Behind what `next` gave last. */
  position(): ReaderPosition;
  close(): Promise<void>;
}

export async function openSegmentReader(
  folder: string,
  start: ReaderStart,
  deps: SegmentReaderDeps,
): Promise<SegmentReader> {
  const reader = new FolderReader(folder, start, deps);
  if (start === "now") await reader.skipAll();
  return reader;
}

const DONE = -1;

class FolderReader implements SegmentReader {
  readonly #folder: string;
  readonly #deps: SegmentReaderDeps;
  readonly #listing: FolderListing;
  readonly #writers: Writers;
  readonly #room = new Room();
  readonly #at: Map<string, number>;
  #after: string;
  #files: readonly SegmentFile[] = [];
  #over: ReadonlySet<string> = new Set();
  #absent: ReadonlySet<string> = new Set();
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #open: { readonly segment: string; readonly source: SegmentSource } | undefined;

  constructor(folder: string, start: ReaderStart, deps: SegmentReaderDeps) {
    this.#folder = folder;
    this.#deps = deps;
    this.#listing = new FolderListing(folder);
    this.#writers = deps.writers ?? createWriters(folder, { now: deps.monotonic });
    const from = typeof start === "string" ? { after: "", at: {} } : start;
    this.#after = from.after;
    this.#at = new Map(Object.entries(from.at));
  }

  async next(maxBytes: number): Promise<RecordBatch | undefined> {
    await this.#list();
    for (const file of this.#files) {
      if (this.#isDone(file.segment)) continue;
      const batch = await this.#read(file, maxBytes);
      if (batch !== undefined) return batch;
    }
    return undefined;
  }

  position(): ReaderPosition {
    return { after: this.#after, at: Object.fromEntries(this.#at) };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.source.close();
  }

  /** What is there counts as read. */
  async skipAll(): Promise<void> {
    await this.#list();
    for (const file of this.#files) {
      if (file.compressed || this.#over.has(file.segment)) this.#at.set(file.segment, DONE);
      else while ((await this.#read(file, Infinity)) !== undefined);
    }
    this.#prune();
  }

  #isDone(segment: string): boolean {
    const at = this.#at.get(segment);
    return at === undefined ? segment <= this.#after : at === DONE;
  }

  async #list(): Promise<void> {
    const nowMs = this.#deps.monotonic();
    if (nowMs - this.#listedAtMs < LIMITS.listMs) return;
    const files = await this.#listing.files();
    const names = this.#files.map(({ segment }) => segment);
    const known = new Set([...names, ...this.#at.keys(), ...this.#absent]);
    this.#files = files;
    this.#over = this.#writers.over(files);
    this.#listedAtMs = nowMs;
    for (const { segment } of files) known.delete(segment);
    this.#passOver(known);
  }

  /** Absent twice: once it may be a compressed one that was just taking the place of its original. */
  #passOver(absent: ReadonlySet<string>): void {
    const first = new Set<string>();
    for (const segment of absent) {
      if (!this.#absent.has(segment)) {
        first.add(segment);
        continue;
      }
      if (!this.#isDone(segment)) this.#deps.missed?.(segment);
      this.#at.delete(segment);
    }
    this.#absent = first;
  }

  /** Undefined where there is nothing more now; then the segment may be done. */
  async #read(file: SegmentFile, maxBytes: number): Promise<RecordBatch | undefined> {
    const { segment } = file;
    try {
      const source = await this.#source(file);
      const { bad = () => undefined } = this.#deps;
      const { batch } = await readBatch(source, segment, { room: this.#room, maxBytes, bad });
      if (batch !== undefined) this.#at.set(segment, batch.offset + batch.bytes.length);
      else if (this.#over.has(segment)) await this.#finish(segment);
      return batch;
    } catch (error) {
      await this.close();
      // Compressed or removed since the folder was listed.
      if (!isGone(error)) throw error;
      this.#listedAtMs = Number.NEGATIVE_INFINITY;
      return undefined;
    }
  }

  async #source(file: SegmentFile): Promise<SegmentSource> {
    if (this.#open?.segment === file.segment) return this.#open.source;
    await this.close();
    const position = this.#at.get(file.segment) ?? 0;
    const path = join(this.#folder, file.file);
    const source = await openSource(path, { compressed: file.compressed, position });
    this.#open = { segment: file.segment, source };
    return source;
  }

  async #finish(segment: string): Promise<void> {
    await this.close();
    this.#at.set(segment, DONE);
    this.#prune();
  }

  /** Names only as many of those that are done as it has to. */
  #prune(): void {
    const names = [...this.#at.keys()].toSorted();
    for (const name of names.slice(0, -LIMITS.named)) {
      // One that still grows keeps its name and those behind it theirs.
      if (this.#at.get(name) !== DONE) continue;
      this.#at.delete(name);
      if (name > this.#after) this.#raise(name);
    }
  }

  /** Those before it that are not named and not read would count as read: they get their names. */
  #raise(after: string): void {
    for (const { segment } of this.#files) {
      if (segment > after) break;
      if (segment > this.#after && !this.#at.has(segment)) {
        if (segment !== after) this.#at.set(segment, 0);
      }
    }
    this.#after = after;
  }
}

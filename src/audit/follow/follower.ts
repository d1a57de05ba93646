/**
 * Reads what is appended to the segments of a folder and gives each piece to all consumers at once, each
 * from where it stands. It holds one piece in memory, however far they are behind; it changes nothing.
 *
 * A consumer that fails is left out and tried again. A file that cannot be read is said, counted and
 * tried again; lines that are no records are counted, and given to those who take bytes.
 */
import { join } from "node:path";
import type { Clock, Log, Metrics } from "../../model/ports.ts";
import type { RecordBatch, RecordConsumer, SegmentEnd } from "../../model/record-feed.ts";
import type { SegmentFile } from "../segment-names.ts";
import { FedConsumer } from "./fed-consumer.ts";
import { type FollowFigures, registerFollowFigures } from "./follow-figures.ts";
import { FolderListing } from "./folder-listing.ts";
import { FollowedSegment } from "./followed-segment.ts";
import { isGone, Room } from "./line-batch.ts";
import { createWriters, type Writers } from "./writers.ts";

const LIMITS = {
  /** Milliseconds between looks at which files there are. */
  listMs: 1000,
  /** Pieces of one segment in a row while it grows, so that one busy writer does not keep the others waiting. */
  pieces: 128,
  /** Milliseconds of one look while there is more: in between, what was read is committed. */
  lookMs: 250,
  /** Milliseconds until a file that could not be read is tried again. */
  retryMs: 5000,
} as const;

export interface FollowerOptions {
  readonly folder: string;
  readonly consumers: readonly RecordConsumer[];
  /** Sees each piece that is given out for the first time since the start. */
  readonly saw?: (batch: RecordBatch) => void;
  /** Told of the end of a segment once all have seen it. */
  readonly ended?: (end: SegmentEnd) => void;
}

export interface FollowerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly writers?: Writers;
  /** Lets others run between two pieces. */
  readonly breathe?: () => Promise<void>;
}

export interface Follower {
  /** Reads what is there and gives it out. True: there is more, and others had to have their turn. Never rejects. */
  look(): Promise<boolean>;
  /**
   * What was given out is brought to the disk and committed, the first consumer first. False: not all of
   * it by all of them. Never rejects.
   */
  commit(): Promise<boolean>;
  tick(nowMs: number): void;
  /** The next look begins with which files there are. */
  listAgain(): void;
  /** Consumers that do not get on now. */
  readonly failing: readonly string[];
  /** Segments that all consumers have seen the end of, as they lie in the folder. */
  seen(): readonly SegmentFile[];
  /** Ends the consumers, the first one last: others may still ask it. Commits nothing. */
  close(): Promise<void>;
}

export function createFollower(options: FollowerOptions, deps: FollowerDeps): Follower {
  return new FolderFollower(options, deps);
}

class FolderFollower implements Follower {
  readonly #folder: string;
  readonly #deps: FollowerDeps;
  readonly #figures: FollowFigures;
  readonly #consumers: readonly FedConsumer[];
  readonly #writers: Writers;
  readonly #options: FollowerOptions;
  readonly #room = new Room();
  /** By name; those that are read no more stay, so that they are not begun anew. */
  readonly #segments = new Map<string, FollowedSegment>();
  /** Those that are not read to their end. */
  #active: readonly FollowedSegment[] = [];
  readonly #listing: FolderListing;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #dirty = false;
  #closed = false;

  constructor(options: FollowerOptions, deps: FollowerDeps) {
    const { folder, consumers } = options;
    const { clock, log, metrics } = deps;
    this.#options = options;
    this.#folder = folder;
    this.#listing = new FolderListing(folder);
    this.#deps = deps;
    const figures = registerFollowFigures(metrics);
    this.#figures = figures;
    this.#consumers = consumers.map(
      (consumer) =>
        new FedConsumer(consumer, {
          clock,
          log,
          failures: figures.failures(consumer.name),
          failing: figures.failing(consumer.name),
        }),
    );
    this.#writers = deps.writers ?? createWriters(folder, { now: () => clock.monotonic() });
  }

  async look(): Promise<boolean> {
    await this.#list();
    const untilMs = this.#deps.clock.monotonic() + LIMITS.lookMs;
    let late = false;
    for (const segment of this.#active) {
      late = await this.#follow(segment, untilMs);
      if (late) break;
    }
    if (this.#active.some(({ done }) => done)) this.#sort();
    return late && !this.#closed;
  }

  async commit(): Promise<boolean> {
    const due = this.#dirty || this.#consumers.some((consumer) => consumer.owesCommit);
    if (due && !(await this.#commitAll())) return false;
    return this.failing.length === 0;
  }

  async #commitAll(): Promise<boolean> {
    if (!(await this.#sync())) return false;
    this.#dirty = false;
    for (const consumer of this.#consumers) {
      if (consumer.commits) await consumer.commit();
    }
    return true;
  }

  tick(nowMs: number): void {
    for (const consumer of this.#consumers) consumer.tick(nowMs);
  }

  listAgain(): void {
    this.#listedAtMs = Number.NEGATIVE_INFINITY;
  }

  get failing(): readonly string[] {
    return this.#consumers.filter(({ failing }) => failing).map(({ name }) => name);
  }

  seen(): readonly SegmentFile[] {
    return [...this.#segments.values()].flatMap(({ done, file }) => (done ? [file] : []));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const segment of this.#segments.values()) await segment.close();
    const [first, ...others] = this.#consumers;
    await Promise.all(others.map(async (consumer) => await consumer.close()));
    await first?.close();
  }

  /** By name, which is by the time of their beginning; those read while they are written are few. */
  #sort(): void {
    this.#active = [...this.#segments.values()]
      .filter(({ done }) => !done)
      .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  async #list(): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs - this.#listedAtMs < LIMITS.listMs) return;
    try {
      const files = await this.#listing.files();
      // Asked before anything is read: what is over by now is read to its end then.
      const over = this.#writers.over(files);
      this.#listedAtMs = nowMs;
      await this.#compare(files, over);
    } catch (error) {
      this.#unreadable("", error);
    }
  }

  async #compare(files: readonly SegmentFile[], over: ReadonlySet<string>): Promise<void> {
    const there = new Set<string>();
    for (const file of files) {
      there.add(file.segment);
      const known = this.#segments.get(file.segment);
      if (known === undefined) {
        const followed = new FollowedSegment(file, this.#folder);
        followed.over = over.has(file.segment);
        this.#segments.set(file.segment, followed);
      } else {
        known.file = file;
        known.over ||= over.has(file.segment);
      }
    }
    for (const [name, segment] of this.#segments) {
      if (!there.has(name)) await this.#vanished(segment);
    }
    this.#sort();
  }

  /** Its writer removes a file without a record, and retention one that all have read. */
  async #vanished(segment: FollowedSegment): Promise<void> {
    await segment.close();
    this.#segments.delete(segment.name);
    for (const consumer of this.#consumers) consumer.forget(segment.name);
    if (segment.done || segment.given === 0) return;
    this.#figures.unreadable.inc();
    this.#deps.log.error("audit: a file of the log was removed before it was read to its end", {
      file: segment.file.file,
      bytes: segment.given,
    });
  }

  /** True: the time is over, and there may be more. */
  async #follow(segment: FollowedSegment, untilMs: number): Promise<boolean> {
    const { clock, breathe } = this.#deps;
    if (segment.done || clock.monotonic() < segment.retryAtMs) return false;
    try {
      for (let piece = 0; segment.over || piece < LIMITS.pieces; piece++) {
        const targets = this.#consumers.filter((one) => one.takes && !one.hasSeen(segment.name));
        if (targets.length === 0 || !(await this.#give(segment, targets))) break;
        await breathe?.();
        if (this.#closed || clock.monotonic() >= untilMs) return true;
      }
      if (this.#consumers.every((one) => one.hasSeen(segment.name))) await this.#finish(segment);
    } catch (error) {
      await this.#failed(segment, error);
    }
    return false;
  }

  async #finish(segment: FollowedSegment): Promise<void> {
    await segment.finish();
    if (segment.end !== undefined) this.#options.ended?.(segment.end);
  }

  /** One piece; false: there is no more now. */
  async #give(segment: FollowedSegment, targets: readonly FedConsumer[]): Promise<boolean> {
    const from = Math.min(...targets.map((consumer) => consumer.cursor(segment.name)));
    const { batch, rest } = await segment.read(from, {
      room: this.#room,
      bad: (lines) => this.#figures.badLines.inc(lines),
    });
    if (batch === undefined) {
      const end = { segment: segment.name, bytes: from, tornBytes: rest };
      if (segment.over) {
        segment.end = end;
        this.#end(targets, end);
      }
      return false;
    }
    this.#dirty = true;
    for (const consumer of targets) consumer.take(batch);
    const end = batch.offset + batch.bytes.length;
    if (end <= segment.given) return true;
    segment.given = end;
    this.#options.saw?.(batch);
    this.#figures.readBytes.inc(batch.bytes.length);
    this.#figures.readRecords.inc(batch.count);
    return true;
  }

  #end(targets: readonly FedConsumer[], end: SegmentEnd): void {
    this.#dirty = true;
    for (const consumer of targets) consumer.ended(end);
  }

  /** Only what is on disk may be vouched for. */
  async #sync(): Promise<boolean> {
    try {
      for (const segment of this.#segments.values()) await segment.sync();
      return true;
    } catch (error) {
      this.#figures.syncErrors.inc();
      this.#deps.log.error("audit: records could not be brought to the disk; no checkpoint now", {
        error: error instanceof Error ? error : undefined,
      });
      return false;
    }
  }

  async #failed(segment: FollowedSegment, error: unknown): Promise<void> {
    await segment.close();
    // It may have been compressed or removed since the folder was listed.
    if (isGone(error)) this.listAgain();
    else this.#unreadable(segment.file.file, error);
    segment.retryAtMs = this.#deps.clock.monotonic() + LIMITS.retryMs;
  }

  #unreadable(file: string, error: unknown): void {
    this.#figures.unreadable.inc();
    this.#deps.log.error("audit: the log cannot be read back; it is tried again", {
      file: join(this.#folder, file),
      error: error instanceof Error ? error : undefined,
    });
  }
}

/**
 * What becomes of segments that are over: they are compressed after a while, and removed when they are
 * older than they are to be kept. A removal is on record, and that record is sealed, before the file goes;
 * the hashes of its records stay in the tree, so that what is proved stays proved.
 */
import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Counter, Log, Metrics } from "../../model/ports.ts";
import type { RecordBatch } from "../../model/record-feed.ts";
import { codeOf } from "../files.ts";
import { DamagedSegment } from "../packed-segment.ts";
import type { SegmentFile } from "../segment-names.ts";
import { compressSegment, removeDrafts, syncFolder } from "./compress.ts";
import { holds } from "./holds.ts";

const LIMITS = {
  /** Milliseconds between looks at what has become old. */
  lookMs: 10_000,
  /** Files whose removal is written down at once: old ones of a log that was never cleaned come in such parts. */
  announced: 64,
  /** Milliseconds after which a removal that has not come back as a record is written down again. */
  againMs: 600_000,
} as const;

export interface ArchiveOptions {
  readonly folder: string;
  /** Milliseconds after the last record of a segment; undefined: never. */
  readonly compressAfterMs: number | undefined;
  /** Milliseconds that a segment is kept after its last record; undefined: for ever. */
  readonly keepMs: number | undefined;
}

export interface ArchiveDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
}

/** A removal that was written down. */
interface Announced {
  readonly atMs: number;
  /** Its record was read back. */
  seen: boolean;
}

export class Archive {
  readonly #options: ArchiveOptions;
  readonly #deps: ArchiveDeps;
  readonly #compressed: Counter;
  readonly #removed: Counter;
  readonly #failed: Counter;
  readonly #announced = new Map<string, Announced>();
  /** When the last record of a segment was written, by its name. */
  readonly #endMs = new Map<string, number>();
  /** What cannot be compressed, until the next start. */
  readonly #unpackable = new Set<string>();
  #lookAtMs = 0;
  #cleaned = false;

  constructor(options: ArchiveOptions, deps: ArchiveDeps) {
    this.#options = options;
    this.#deps = deps;
    const counter = (name: string, help: string): Counter =>
      deps.metrics.counter(name, help).with();
    this.#compressed = counter("sallyport_audit_files_compressed", "Files of the log compressed.");
    this.#removed = counter(
      "sallyport_audit_files_removed",
      "Files of the log removed because they were older than `audit.keep`.",
    );
    this.#failed = counter(
      "sallyport_audit_archive_failures",
      "Files of the log that could not be compressed or removed; they are tried again.",
    );
  }

  /** Each piece that was read, before it is committed. */
  saw(batch: RecordBatch): void {
    if (this.#announced.size === 0 || !holds(batch.bytes, '"event":"file-removed"')) return;
    for (const entry of batch.entries()) {
      if (entry.type !== "event" || entry.event !== "file-removed") continue;
      const announced = this.#announced.get(String(entry.figures?.["file"]));
      if (announced !== undefined) announced.seen = true;
    }
  }

  /** After a commit of all that was read. `over`: segments that all have read to their end. Never rejects. */
  async committed(over: readonly SegmentFile[]): Promise<void> {
    await this.#removeSeen(over);
  }

  /** Looks now and then for what has become old: one file is compressed at a time. Never rejects. */
  async tidy(over: readonly SegmentFile[]): Promise<void> {
    const { clock } = this.#deps;
    if (clock.monotonic() < this.#lookAtMs) return;
    try {
      if (!this.#cleaned) await removeDrafts(this.#options.folder);
      this.#cleaned = true;
      const busy = await this.#compressNext(over);
      await this.#announceOld(over);
      this.#lookAtMs = busy ? 0 : clock.monotonic() + LIMITS.lookMs;
    } catch (error) {
      this.#lookAtMs = clock.monotonic() + LIMITS.lookMs;
      this.#fail("audit: old files of the log cannot be looked at", this.#options.folder, error);
    }
  }

  /** True: there may be another one. */
  async #compressNext(over: readonly SegmentFile[]): Promise<boolean> {
    const { compressAfterMs, keepMs = Infinity, folder } = this.#options;
    if (compressAfterMs === undefined) return false;
    for (const file of over) {
      if (file.compressed || this.#unpackable.has(file.segment)) continue;
      const age = await this.#age(file);
      // What is to be removed is not worth it.
      if (age < compressAfterMs || age >= keepMs) continue;
      try {
        const { bytes, compressedBytes } = await compressSegment(folder, file.segment);
        this.#compressed.inc();
        const fields = { file: file.segment, bytes, compressedBytes };
        this.#deps.log.info("audit: a file of the log was compressed", fields);
        return true;
      } catch (error) {
        // Compressed meanwhile, which the next listing says.
        if (codeOf(error) === "ENOENT") continue;
        this.#fail("audit: a file of the log could not be compressed", file.segment, error);
        if (!(error instanceof DamagedSegment)) return false;
        // What is in it is no record, and nobody would read it packed: it stays, and the next one has its turn.
        this.#unpackable.add(file.segment);
      }
    }
    return false;
  }

  async #announceOld(over: readonly SegmentFile[]): Promise<void> {
    const { keepMs, folder } = this.#options;
    if (keepMs === undefined) return;
    const { clock, events } = this.#deps;
    const nowMs = clock.monotonic();
    for (const file of over) {
      if (this.#announced.size >= LIMITS.announced) return;
      const announced = this.#announced.get(file.segment);
      if (announced !== undefined && (announced.seen || nowMs - announced.atMs < LIMITS.againMs))
        continue;
      if ((await this.#age(file)) < keepMs) continue;
      const { size } = await stat(join(folder, file.file));
      this.#announced.set(file.segment, { atMs: nowMs, seen: false });
      events.event({
        timeMs: clock.now(),
        event: "file-removed",
        detail: "older than audit.keep",
        figures: { bytes: size, file: file.segment },
      });
    }
  }

  async #removeSeen(over: readonly SegmentFile[]): Promise<void> {
    const byName = new Map(over.map((file) => [file.segment, file]));
    for (const [segment, { seen }] of this.#announced) {
      if (!seen) continue;
      const file = byName.get(segment);
      // Gone meanwhile, by whatever hand.
      if (file === undefined || (await this.#remove(file))) this.#announced.delete(segment);
    }
  }

  /** False: it is to be tried again. */
  async #remove({ segment, file }: SegmentFile): Promise<boolean> {
    const { folder } = this.#options;
    try {
      await unlink(join(folder, file));
      await syncFolder(folder);
      this.#removed.inc();
      this.#endMs.delete(segment);
      this.#deps.log.info("audit: a file of the log was removed, as audit.keep says", { file });
      return true;
    } catch (error) {
      // Compressed meanwhile: the next listing has its new name.
      if (codeOf(error) === "ENOENT") return false;
      this.#fail("audit: a file of the log could not be removed", file, error);
      return false;
    }
  }

  /** Milliseconds since its last record was written. A clock that is set back makes it younger, never older. */
  async #age({ segment, file, startMs }: SegmentFile): Promise<number> {
    let endMs = this.#endMs.get(segment);
    if (endMs === undefined) {
      const { mtimeMs } = await stat(join(this.#options.folder, file));
      endMs = Math.max(mtimeMs, startMs);
      this.#endMs.set(segment, endMs);
    }
    return this.#deps.clock.now() - endMs;
  }

  #fail(event: string, file: string, error: unknown): void {
    this.#failed.inc();
    const fields = { file, error: error instanceof Error ? error : new Error(String(error)) };
    this.#deps.log.error(event, fields);
  }
}

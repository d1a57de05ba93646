/**
 * Keeps the book of usage while the log is written: takes records, and lets the book write what they add
 * up to. Whatever it cannot write is read again later; the log waits for nobody.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Metrics } from "../../model/ports.ts";
import type { RecordBatch, RecordConsumer, SegmentEnd } from "../../model/record-feed.ts";
import { PeriodTotals } from "./period-totals.ts";
import { createQuotaWatch, type QuotaWatch } from "./quota-watch.ts";
import { UsageBook } from "./usage-book.ts";
import { openUsage, usageFile } from "./usage-database.ts";
import type { UsageOptions } from "./usage-options.ts";

const LIMITS = {
  /** Milliseconds between two rounds of removing what is older than `keep`. */
  forgetMs: 3_600_000,
} as const;

export interface UsageConsumerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
}

/** Waits for nothing. */
export interface UsageKeeping extends RecordConsumer {
  ended(end: SegmentEnd): void;
  commit(): void;
  tick(nowMs: number): void;
  close(): void;
}

/** Throws SallyportError `store-failed` where the book cannot be opened. */
export function createUsageConsumer(
  options: UsageOptions,
  auditFolder: string,
  deps: UsageConsumerDeps,
): UsageKeeping {
  return new UsageConsumer(options, auditFolder, deps);
}

class UsageConsumer implements UsageKeeping {
  readonly name = "usage";
  readonly #options: UsageOptions;
  readonly #auditFolder: string;
  readonly #deps: UsageConsumerDeps;
  readonly #book: UsageBook;
  readonly #totals: PeriodTotals;
  readonly #watch: QuotaWatch | undefined;
  #forgetAt = 0;
  #failing = false;

  constructor(options: UsageOptions, auditFolder: string, deps: UsageConsumerDeps) {
    this.#options = options;
    this.#auditFolder = auditFolder;
    this.#deps = deps;
    const database = openUsage(usageFile(options, auditFolder));
    this.#totals = new PeriodTotals(database, () => deps.clock.now());
    this.#book = new UsageBook(database, {
      all: options.count === "all",
      counted: (step) => this.#watch?.counted(step),
    });
    this.#watch = createQuotaWatch(options, {
      ...deps,
      totals: this.#totals,
      isTold: (event, told) => this.#book.isTold(event, told),
      tell: (event, told) => this.#book.tell(event, told),
    });
  }

  position(segment: string): number {
    return this.#book.position(segment);
  }

  take(batch: RecordBatch): void {
    const known = this.#book.position(batch.segment);
    // What was given before is in the sums; what lies between would be missing in them.
    if (batch.offset !== known) {
      const { segment, offset } = batch;
      throw new TypeError(`usage: ${segment} at ${offset}, and it is counted up to ${known}`);
    }
    for (const line of batch.entries()) {
      switch (line.type) {
        case "decision":
          this.#book.decision(line);
          if (line.decision === "deny") this.#watch?.denied(line);
          break;
        case "completion":
          this.#book.completion(line);
          break;
        case "summary":
          this.#book.summary(line);
          break;
        case "event":
          this.#watch?.told(line);
          break;
      }
    }
    this.#book.reached(batch.segment, batch.offset + batch.bytes.length);
    if (this.#book.full) this.commit();
  }

  ended({ segment }: SegmentEnd): void {
    this.#book.ended(segment);
  }

  commit(): void {
    try {
      this.#book.commit();
      if (this.#totals.full) this.#totals.clear();
      if (this.#failing) this.#deps.log.info("usage: is written again");
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        this.#deps.log.error("usage: cannot be written; it is kept in memory and tried again", {
          error: error instanceof Error ? error : undefined,
        });
      }
      this.#failing = true;
    }
  }

  tick(nowMs: number): void {
    this.#watch?.tick();
    if (nowMs < this.#forgetAt) return;
    this.#forgetAt = nowMs + LIMITS.forgetMs;
    try {
      this.#book.forget(nowMs - this.#options.keep, nowMs);
      this.#book.forgetSegments((segment) => this.#isThere(segment));
    } catch (error) {
      const fields = { error: error instanceof Error ? error : undefined };
      this.#deps.log.warn("usage: old hours cannot be removed", fields);
    }
  }

  close(): void {
    this.#book.close();
  }

  /** Also where it was packed meanwhile. */
  #isThere(segment: string): boolean {
    const file = join(this.#auditFolder, segment);
    return existsSync(file) || existsSync(`${file}.gz`);
  }
}

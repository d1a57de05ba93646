/**
 * Keeps the book of usage while the log is written: takes records, and lets the book write what they add
 * up to. Whatever it cannot write is read again later; the log waits for nobody.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Counter, Log, Metrics } from "../../model/ports.ts";
import type {
  RecordBatch,
  RecordConsumer,
  RecordLine,
  SegmentEnd,
} from "../../model/record-feed.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import { EarlierUse } from "./earlier-use.ts";
import { PeriodTotals } from "./period-totals.ts";
import { createQuotaWatch, periodsOf, type QuotaWatch } from "./quota-watch.ts";
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
  /**
   * Told of what processes let through that have ended, as far as the book did not have it when it was
   * opened: quotas began without it.
   */
  readonly earlier?: (steps: readonly QuotaStep[]) => void;
}

/** Waits for nothing. */
export interface UsageKeeping extends RecordConsumer {
  ended(end: SegmentEnd): void;
  commit(): void;
  tick(nowMs: number): void;
  close(): void;
  /** For warnings: what other machines let through. */
  usedElsewhere(steps: readonly QuotaStep[]): void;
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
  readonly #earlier: EarlierUse | undefined;
  readonly #uncounted: Counter;
  #forgetAt = 0;
  #failing = false;

  constructor(options: UsageOptions, auditFolder: string, deps: UsageConsumerDeps) {
    this.#options = options;
    this.#auditFolder = auditFolder;
    this.#deps = deps;
    this.#uncounted = deps.metrics
      .counter(
        "sallyport_usage_uncounted",
        "Lines of the log that are no records and were not counted.",
      )
      .with();
    const database = openUsage(usageFile(options, auditFolder));
    this.#totals = new PeriodTotals(database, () => deps.clock.now());
    this.#book = new UsageBook(database, {
      all: options.count === "all",
      counted: (sum, used) => {
        this.#watch?.counted(sum, used);
        this.#earlier?.counted(sum, used);
      },
    });
    const periods = periodsOf(options.plans);
    if (deps.earlier !== undefined && periods.length > 0) {
      const { earlier: tell, clock } = deps;
      this.#earlier = new EarlierUse(readdirSync(auditFolder), { periods, tell, clock });
    }
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
    this.#earlier?.begin(batch.segment);
    try {
      for (const line of batch.entries()) this.#count(line);
    } catch (error) {
      // Half of it is in the sums: all that was not committed is read again.
      this.#book.abandon();
      this.#totals.clear();
      throw error;
    }
    this.#earlier?.end();
    this.#book.reached(batch.segment, batch.offset + batch.bytes.length);
    if (this.#book.full) this.commit();
  }

  #count(line: RecordLine): void {
    try {
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
    } catch (error) {
      // No record of ours: somebody wrote into the log. audit verify says where.
      if (!(error instanceof TypeError)) throw error;
      this.#uncounted.inc();
    }
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

  usedElsewhere(steps: readonly QuotaStep[]): void {
    this.#watch?.usedElsewhere(steps);
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

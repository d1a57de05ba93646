/**
 * One consumer as the follower sees it: where it stands in each segment, and whether it gets on. One
 * that throws has taken nothing of that batch; it is left out until its time comes, and the others go on.
 * One that cannot commit is given nothing more, so that what it holds does not grow.
 */
import type { Clock, Counter, Gauge, Log } from "../../model/ports.ts";
import type { RecordConsumer, SegmentEnd } from "../../model/record-feed.ts";
import type { LineBatch } from "./line-batch.ts";

const LIMITS = {
  /** Milliseconds until a consumer that threw is tried again; doubled each time. */
  firstRetryMs: 500,
  longestRetryMs: 30_000,
} as const;

export interface FedDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly failures: Counter;
  readonly failing: Gauge;
}

export class FedConsumer {
  readonly name: string;
  readonly #consumer: RecordConsumer;
  readonly #deps: FedDeps;
  /** Bytes that it was given, of segments that it has not seen the end of. */
  readonly #cursors = new Map<string, number>();
  /** Segments whose end it was told. */
  readonly #ended = new Set<string>();
  #failures = 0;
  #retryAtMs = 0;
  /** What it failed at, and has to succeed at before it counts as well again. */
  #failedAt: "take" | "commit" | undefined;

  constructor(consumer: RecordConsumer, deps: FedDeps) {
    this.name = consumer.name;
    this.#consumer = consumer;
    this.#deps = deps;
    deps.failing.set(0);
  }

  /** Whether it may be given something now. */
  get takes(): boolean {
    return this.#failedAt === undefined || (this.#failedAt === "take" && this.#due);
  }

  /** Whether it may be asked to commit now. */
  get commits(): boolean {
    return this.#failedAt === undefined || (this.#failedAt === "commit" && this.#due);
  }

  /** Whether there is a commit to try again. */
  get owesCommit(): boolean {
    return this.#failedAt === "commit" && this.#due;
  }

  get failing(): boolean {
    return this.#failedAt !== undefined;
  }

  get #due(): boolean {
    return this.#deps.clock.monotonic() >= this.#retryAtMs;
  }

  cursor(segment: string): number {
    const known = this.#cursors.get(segment);
    if (known !== undefined) return known;
    // An answer of nonsense must not make the follower read in circles.
    const position = Math.max(0, this.#consumer.position(segment));
    this.#cursors.set(segment, position);
    return position;
  }

  /** Gives it what it does not have yet. */
  take(batch: LineBatch): void {
    const cursor = this.cursor(batch.segment);
    const end = batch.offset + batch.bytes.length;
    if (cursor >= end || cursor < batch.offset) return;
    const part = cursor === batch.offset ? batch : batch.from(cursor);
    if (this.#try(() => this.#consumer.take(part))) this.#cursors.set(batch.segment, end);
  }

  hasSeen(segment: string): boolean {
    return this.#ended.has(segment);
  }

  ended(end: SegmentEnd): void {
    if (this.#ended.has(end.segment) || this.cursor(end.segment) < end.bytes) return;
    if (!this.#try(() => this.#consumer.ended?.(end))) return;
    this.#ended.add(end.segment);
    this.#cursors.delete(end.segment);
  }

  /** The segment is there no more. */
  forget(segment: string): void {
    this.#cursors.delete(segment);
    this.#ended.delete(segment);
  }

  async commit(): Promise<void> {
    try {
      await this.#consumer.commit?.();
      this.#succeeded("commit");
    } catch (error) {
      this.#failed("commit", error);
    }
  }

  tick(nowMs: number): void {
    try {
      this.#consumer.tick?.(nowMs);
    } catch (error) {
      this.#deps.failures.inc();
      this.#say("is tried again", error);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#consumer.close?.();
    } catch (error) {
      this.#deps.failures.inc();
      this.#say("could not be closed", error);
    }
  }

  #try(run: () => void): boolean {
    try {
      run();
      this.#succeeded("take");
      return true;
    } catch (error) {
      this.#failed("take", error);
      return false;
    }
  }

  #succeeded(at: "take" | "commit"): void {
    if (this.#failedAt !== at) return;
    this.#failures = 0;
    this.#failedAt = undefined;
    this.#deps.failing.set(0);
    this.#deps.log.info("audit: a reader of the log gets on again", { consumer: this.name });
  }

  #failed(at: "take" | "commit", error: unknown): void {
    const doubled = LIMITS.firstRetryMs * 2 ** Math.min(this.#failures, 16);
    const retryMs = Math.min(doubled, LIMITS.longestRetryMs);
    this.#failures += 1;
    this.#failedAt = at;
    this.#retryAtMs = this.#deps.clock.monotonic() + retryMs;
    this.#deps.failures.inc();
    this.#deps.failing.set(1);
    this.#say(`is tried again in ${retryMs} ms`, error);
  }

  #say(what: string, error: unknown): void {
    this.#deps.log.error("audit: a reader of the log failed; traffic goes on", {
      consumer: this.name,
      what,
      error: error instanceof Error ? error : new Error(String(error)),
    });
  }
}

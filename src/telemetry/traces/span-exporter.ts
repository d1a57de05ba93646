/**
 * Sends spans to a collector, by OTLP over HTTP with JSON. Nothing waits for it: spans are written as
 * text when they come, a few microseconds each, wait in a bounded queue, and go out in batches, one at a
 * time. What a collector that is slow or away leaves no room for is dropped and counted.
 */
import type { Clock, Counter, Log, Metrics, Timers } from "../../model/ports.ts";
import { otlpResource } from "../../model/otlp.ts";
import { type OtlpOutcome, type OtlpTarget, postOtlp } from "../../platform/otlp-http.ts";
import { type Span, spanText } from "./span.ts";

const LIMITS = {
  /** Spans of one export; so many do not wait for the interval. */
  batchSpans: 512,
  /** Characters of one export: collectors refuse what is larger than some megabytes. */
  batchChars: 1024 * 1024,
  /** Between two tries of the same batch: at first, and at most. */
  firstRetryMs: 1000,
  lastRetryMs: 30_000,
  /** Times that a batch is sent: some two minutes. What is older than that is missed by nobody. */
  tries: 8,
  /** A collector that names a longer pause than this is asked again earlier. */
  retryAfterMs: 120_000,
  /** At shutdown: a process that ends is waited for by others. */
  closeMs: 3000,
} as const;

export interface SpanTarget extends OtlpTarget {
  readonly intervalMs: number;
  /** Spans that may wait. */
  readonly queue: number;
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string>>;
}

export interface SpanExporterDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly random: () => number;
  readonly counters: SpanCounters;
  readonly version: string;
  /** Tells processes of one service apart. */
  readonly instance: string;
  readonly post?: typeof postOtlp | undefined;
}

/** What became of spans. */
export interface SpanCounters {
  readonly exported: Counter;
  /** By the collector. */
  readonly rejected: Counter;
  /** For want of room, or because nobody took them for too long. */
  readonly dropped: Counter;
}

export function spanCounters(metrics: Metrics): SpanCounters {
  const spans = metrics.counter(
    "sallyport_trace_spans_total",
    "Spans, by what became of them: `exported`, `rejected` (by the collector), `dropped` (no room, or no collector for too long).",
    ["outcome"],
  );
  return {
    exported: spans.with("exported"),
    rejected: spans.with("rejected"),
    dropped: spans.with("dropped"),
  };
}

export class SpanExporter {
  readonly #target: SpanTarget;
  readonly #deps: SpanExporterDeps;
  /** Before and after the spans of a batch. */
  readonly #frame: readonly [string, string];
  #waiting: string[] = [];
  /** The batch that is being sent, or will be again. */
  #sending = 0;
  #cancel: (() => void) | undefined;
  #working: Promise<void> | undefined;
  #away = false;
  /** Ends the pause between two tries. */
  #wake: (() => void) | undefined;
  /** Monotonic milliseconds after which nothing is tried any more. */
  #lastAt = Number.POSITIVE_INFINITY;

  constructor(target: SpanTarget, deps: SpanExporterDeps) {
    this.#target = target;
    this.#deps = deps;
    this.#frame = frameOf(target, deps);
  }

  /** Spans that wait, those of the batch under way included. */
  get size(): number {
    return this.#waiting.length + this.#sending;
  }

  /** Those of one request: they are taken together, or not at all. */
  add(spans: readonly Span[]): void {
    if (this.size + spans.length > this.#target.queue) {
      this.#deps.counters.dropped.inc(spans.length);
      return;
    }
    for (const span of spans) this.#waiting.push(spanText(span));
    if (this.#working !== undefined) return;
    if (this.#waiting.length >= LIMITS.batchSpans) this.#begin();
    else this.#cancel ??= this.#deps.timers.after(this.#target.intervalMs, () => this.#begin());
  }

  /** Sends what waits, within a bound; what is left then is dropped. Never rejects. */
  async close(): Promise<void> {
    const { clock, timers, counters } = this.#deps;
    this.#lastAt = clock.monotonic() + LIMITS.closeMs;
    this.#wake?.();
    if (this.#working === undefined) this.#begin();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const stop = timers.after(LIMITS.closeMs, resolve);
    await Promise.race([this.#working, late]);
    stop();
    if (this.#waiting.length > 0) counters.dropped.inc(this.#waiting.length);
    this.#waiting = [];
  }

  #begin(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#waiting.length === 0) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      // What came meanwhile waits for others, as at first.
      if (this.#waiting.length > 0 && this.#lastAt === Number.POSITIVE_INFINITY) {
        this.#cancel ??= this.#deps.timers.after(this.#target.intervalMs, () => this.#begin());
      }
    });
  }

  /** Until what is left is less than a batch. At the end, until nothing is left. */
  async #work(): Promise<void> {
    do {
      const batch = this.#take();
      this.#sending = batch.length;
      await this.#send(batch);
      this.#sending = 0;
    } while (
      this.#waiting.length >= LIMITS.batchSpans ||
      (this.#waiting.length > 0 && this.#lastAt !== Number.POSITIVE_INFINITY && !this.#late)
    );
  }

  get #late(): boolean {
    return this.#deps.clock.monotonic() >= this.#lastAt;
  }

  #take(): string[] {
    let chars = 0;
    let count = 0;
    for (const text of this.#waiting) {
      chars += text.length;
      if (count === LIMITS.batchSpans || (count > 0 && chars > LIMITS.batchChars)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #send(batch: readonly string[]): Promise<void> {
    const { post = postOtlp } = this.#deps;
    const body = this.#frame[0] + batch.join(",") + this.#frame[1];
    for (let tries = 1; ; tries++) {
      const outcome = await post(this.#target, body, "rejectedSpans");
      if (outcome.kind !== "retry") return this.#settled(outcome, batch.length);
      this.#isAway(outcome.why);
      const wait = this.#pause(tries, outcome.afterMs);
      if (tries === LIMITS.tries || this.#deps.clock.monotonic() + wait >= this.#lastAt) {
        this.#deps.counters.dropped.inc(batch.length);
        return;
      }
      await this.#sleep(wait);
    }
  }

  #settled(outcome: Exclude<OtlpOutcome, { kind: "retry" }>, count: number): void {
    const { counters, log } = this.#deps;
    if (outcome.kind === "refused") {
      counters.rejected.inc(count);
      log.warn("the collector refuses traces", { url: this.#target.url, why: outcome.why });
      return;
    }
    const rejected = Math.min(outcome.rejected, count);
    counters.exported.inc(count - rejected);
    if (rejected > 0) {
      counters.rejected.inc(rejected);
      log.warn("the collector took only a part of the traces", { rejected, words: outcome.words });
    }
    if (this.#away) log.info("traces reach the collector again", { url: this.#target.url });
    this.#away = false;
  }

  /** Said once, until it is back. */
  #isAway(why: string): void {
    if (this.#away) return;
    this.#away = true;
    this.#deps.log.warn("traces do not reach the collector", { url: this.#target.url, why });
  }

  /** Doubled from try to try, and not the same for all processes. */
  #pause(tries: number, afterMs: number | undefined): number {
    const doubled = Math.min(LIMITS.lastRetryMs, LIMITS.firstRetryMs * 2 ** (tries - 1));
    const spread = doubled * (0.5 + this.#deps.random() / 2);
    return Math.max(spread, Math.min(afterMs ?? 0, LIMITS.retryAfterMs));
  }

  async #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.#deps.timers.after(ms, resolve);
    this.#wake = resolve;
    await promise;
    stop();
    this.#wake = undefined;
  }
}

function frameOf(
  { serviceName, resource }: SpanTarget,
  { version, instance }: SpanExporterDeps,
): readonly [string, string] {
  const attributes = { "service.name": serviceName, ...resource };
  const whole = JSON.stringify({
    resourceSpans: [
      {
        resource: otlpResource({ version, instance, attributes }),
        scopeSpans: [{ scope: { name: "sallyport", version }, spans: [] }],
      },
    ],
  });
  const at = whole.lastIndexOf("[]") + 1;
  return [whole.slice(0, at), whole.slice(at)];
}

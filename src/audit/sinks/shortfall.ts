/**
 * What a sink does not get: said in the operators' log at once, and on record at most once a minute,
 * because that record goes to sinks too and must not feed what it tells of.
 */
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log } from "../../model/ports.ts";
import type { SkipCause } from "./sink-metrics.ts";

const LIMITS = {
  /** Milliseconds between event records of one sink. */
  eventMs: 60_000,
} as const;

export interface ShortfallDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventLog;
}

export class Shortfall {
  readonly #sink: string;
  readonly #deps: ShortfallDeps;
  #bytes = 0;
  #refused = 0;
  #toldAtMs = -Infinity;

  constructor(sink: string, deps: ShortfallDeps) {
    this.#sink = sink;
    this.#deps = deps;
  }

  skipped(cause: SkipCause, bytes: number): void {
    this.#bytes += bytes;
    this.#deps.log.error("audit sink: records are skipped", { sink: this.#sink, cause, bytes });
  }

  refused(records: number, why: string): void {
    this.#refused += records;
    const fields = { sink: this.#sink, records, why };
    this.#deps.log.error("audit sink: the receiver refused records for good", fields);
  }

  /** Writes the event, where there is something to tell and the last one is long enough ago. */
  tell(): void {
    const { clock, events } = this.#deps;
    if (this.#bytes === 0 && this.#refused === 0) return;
    if (clock.monotonic() - this.#toldAtMs < LIMITS.eventMs) return;
    this.#toldAtMs = clock.monotonic();
    events.event({
      timeMs: clock.now(),
      event: "sink-skipped",
      detail: `the sink ${this.#sink} did not get all records; the log has them`,
      figures: { refusedRecords: this.#refused, sink: this.#sink, skippedBytes: this.#bytes },
    });
    this.#bytes = 0;
    this.#refused = 0;
  }
}

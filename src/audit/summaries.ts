/**
 * Counts what gets no record of its own. Its memory is bounded by the closed list of reasons and the
 * configured listeners, whatever strangers send.
 */
import type { Reason } from "../model/reason.ts";
import type { Summary, SummaryCount } from "./serialize.ts";

const LIMITS = {
  /** Counts in one record, so that a record stays within its limit. */
  perRecord: 500,
} as const;

export class Summaries {
  readonly #counts = new Map<string, SummaryCount & { count: number }>();
  #fromMs: number;

  constructor(nowMs: number) {
    this.#fromMs = nowMs;
  }

  count(listener: string, reason: Reason, cause: SummaryCount["cause"]): void {
    const key = `${cause} ${reason} ${listener}`;
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { cause, count: 1, listener, reason });
    else entry.count += 1;
  }

  /** What was counted since the last call, as the summaries that say so; none when it was nothing. */
  take(nowMs: number): Summary[] {
    const fromMs = this.#fromMs;
    this.#fromMs = nowMs;
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    const summaries: Summary[] = [];
    for (let index = 0; index < counts.length; index += LIMITS.perRecord) {
      const part = counts.slice(index, index + LIMITS.perRecord);
      summaries.push({ fromMs, toMs: nowMs, counts: part });
    }
    return summaries;
  }
}

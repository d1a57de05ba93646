/**
 * Which traces are kept, by their id: as all who sample at the same rate decide by the same 56 bits
 * (OpenTelemetry, "TraceState: Probability Sampling", section "Consistent sampling decision"), a trace
 * is kept by each of them or by none.
 */

/** Where the low 56 bits of the trace id begin in a `traceparent`. */
const RANDOM_AT = 3 + 18;
const RANDOM_DIGITS = 14;

/** 14 hexadecimal digits: a trace whose low 56 bits are not below them is kept. Undefined: none is. */
export function thresholdOf(rate: number): string | undefined {
  if (rate <= 0) return undefined;
  // A double holds 53 bits; the last four of 56 are none that a rate could be told apart by.
  const rejected = BigInt(Math.round((1 - Math.min(rate, 1)) * 2 ** 52)) << 4n;
  return rejected >= 1n << 56n ? undefined : rejected.toString(16).padStart(RANDOM_DIGITS, "0");
}

/** Reads single digits, so that it allocates nothing: nearly always the first one or two decide. */
export function isKept(traceparent: string, threshold: string | undefined): boolean {
  if (threshold === undefined) return false;
  for (let index = 0; index < RANDOM_DIGITS; index++) {
    // Digits come before lower-case letters in ASCII too.
    const more = traceparent.charCodeAt(RANDOM_AT + index) - threshold.charCodeAt(index);
    if (more !== 0) return more > 0;
  }
  return true;
}

/** What others can make us record: so many a second, at once as many as in one second. */
export class Allowance {
  readonly #perSecond: number;
  readonly #most: number;
  #left: number;
  #at = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#most = perSecond === 0 ? 0 : Math.max(1, perSecond);
    this.#left = this.#most;
  }

  /** `nowMs`: monotonic. */
  take(nowMs: number): boolean {
    const gained = (Math.max(0, nowMs - this.#at) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#most, this.#left + gained);
    this.#at = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

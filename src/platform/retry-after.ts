/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. */

const LIMITS = {
  /** Characters of a value: a date has 29. */
  text: 64,
} as const;

const SECONDS = /^\d{1,9}$/;
/** IMF-fixdate, the one form of a date that is sent (RFC 9110 section 5.6.7). */
const DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/** Milliseconds from `nowMs`; undefined where nothing (that can be read) is said. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined || value.length > LIMITS.text) return undefined;
  if (SECONDS.test(value)) return Number(value) * 1000;
  const at = DATE.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

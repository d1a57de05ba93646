/**
 * The arithmetic of a rate (GCRA), which is the same wherever it is counted: in this process, or in what
 * all machines have in common.
 *
 * It is exact: time is counted in units of which a request takes a whole number (for 3 requests a second:
 * thirds of a millisecond), so `burst` requests fit and not one more, ever.
 */
import type { RateVerdict } from "./ports.ts";

/** `requests` in every `perMs`, of which `burst` may come at once. Whole numbers. */
export interface RatePolicy {
  readonly requests: number;
  readonly perMs: number;
  readonly burst: number;
}

/** Units of time in a millisecond, in a request, and in a whole burst. */
export interface RateUnits {
  readonly scale: number;
  readonly step: number;
  readonly depth: number;
}

/** Throws TypeError for what is no rate of whole numbers. */
export function rateUnits({ requests, perMs, burst }: RatePolicy): RateUnits {
  for (const value of [requests, perMs, burst]) {
    if (!Number.isSafeInteger(value) || value < 1) throw new TypeError("a rate of whole numbers");
  }
  const divisor = greatestCommonDivisor(requests, perMs);
  const step = perMs / divisor;
  return { scale: requests / divisor, step, depth: step * burst };
}

/** `owed`: until the bucket is full again; `beyond`: until the request fits. Both in units. */
export function rateVerdict(
  { scale, step, depth }: RateUnits,
  { owed, beyond }: { readonly owed: number; readonly beyond: number },
): RateVerdict {
  return {
    allowed: beyond <= 0,
    remaining: Math.max(0, Math.floor((depth - owed) / step)),
    retryMs: Math.ceil(Math.max(0, beyond) / scale),
    resetMs: Math.ceil(owed / scale),
  };
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}

/** A rate with a burst (a token bucket). */
import type { Clock } from "../model/ports.ts";

/** Returns the function that takes one token, or says that there is none. It begins full. */
export function createTokenBucket(
  rate: { readonly perSecond: number; readonly burst: number },
  clock: Clock,
): () => boolean {
  let tokens = rate.burst;
  let filledAt = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    tokens = Math.min(rate.burst, tokens + ((now - filledAt) / 1000) * rate.perSecond);
    filledAt = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

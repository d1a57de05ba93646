/** Ids of spans, and the parts of a `traceparent` that is known to be well-formed. */
import { randomFillSync } from "node:crypto";

const LIMITS = {
  /** Ids that one draw serves. */
  pooled: 64,
} as const;

const ID_BYTES = 8;
const ID_DIGITS = 16;

/** Returns the function that makes the next span id. */
export function createSpanIds(fill: (buffer: Buffer) => unknown = randomFillSync): () => string {
  const pool = Buffer.alloc(ID_BYTES * LIMITS.pooled);
  let digits = "";
  let next = 0;
  return () => {
    if (next === digits.length) {
      fill(pool);
      digits = pool.toString("hex");
      next = 0;
    }
    const id = digits.slice(next, next + ID_DIGITS);
    next += ID_DIGITS;
    return id;
  };
}

/** `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits. */
export function traceIdIn(traceparent: string): string {
  return traceparent.slice(3, 35);
}

export function spanIdIn(traceparent: string): string {
  return traceparent.slice(36, 52);
}

/**
 * New `traceparent` values (W3C Trace Context, section 3.2) for requests that bring none. Not
 * sampled: the flag is set only by who decides to sample.
 */
import { randomFillSync } from "node:crypto";

/** 24 bytes a value; one draw serves 256, since a draw each would cost a microsecond. */
const VALUE_BYTES = 24;
const POOLED = 256;

/** Returns the function that makes the next value. */
export function createTraceparents(
  fill: (buffer: Buffer) => unknown = randomFillSync,
): () => string {
  const pool = Buffer.alloc(VALUE_BYTES * POOLED);
  let next = POOLED;
  return () => {
    if (next === POOLED) {
      fill(pool);
      next = 0;
    }
    const at = next * VALUE_BYTES;
    next += 1;
    // An all-zero id is invalid; 128 zero bits from a good source do not happen.
    return `00-${pool.toString("hex", at, at + 16)}-${pool.toString("hex", at + 16, at + VALUE_BYTES)}-00`;
  };
}

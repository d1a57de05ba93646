/**
 * New `traceparent` values (W3C Trace Context, section 3.2) for requests that bring none. Not
 * sampled: the flag is set only by who decides to sample.
 */
import { randomFillSync } from "node:crypto";

/**
 * 24 bytes a value; one draw serves 256, since a draw each would cost a microsecond. They become text
 * together too: 130 instead of 280 ns a value on Bun, 280 instead of 330 on Node.
 */
const VALUE_BYTES = 24;
const POOLED = 256;
/** Hexadecimal digits: 16 bytes of trace, 8 of span. */
const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;

/** Returns the function that makes the next value. */
export function createTraceparents(
  fill: (buffer: Buffer) => unknown = randomFillSync,
): () => string {
  const pool = Buffer.alloc(VALUE_BYTES * POOLED);
  let digits = "";
  let next = 0;
  return () => {
    if (next === digits.length) {
      fill(pool);
      digits = pool.toString("hex");
      next = 0;
    }
    const span = next + TRACE_DIGITS;
    const end = span + SPAN_DIGITS;
    // An all-zero id is invalid; 128 zero bits from a good source do not happen.
    const value = `00-${digits.slice(next, span)}-${digits.slice(span, end)}-00`;
    next = end;
    return value;
  };
}

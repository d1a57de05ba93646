/**
 * The `traceparent` field (W3C Trace Context, section 3.2).
 *
 * Refuses version ff, all-zero ids, upper-case hex and, in version 00, anything after the flags.
 */
export interface Traceparent {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits: the caller's span. */
  readonly parentId: string;
  readonly sampled: boolean;
}

/** A later version may append fields; 512 characters bound them. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]{0,456})?$/;
const ZERO_TRACE = "0".repeat(32);
const ZERO_PARENT = "0".repeat(16);

/** The trace context, or undefined where the value is not valid. */
export function parseTraceparent(value: string): Traceparent | undefined {
  const match = TRACEPARENT.exec(value);
  if (match === null) return undefined;
  const [, version = "", traceId = "", parentId = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (traceId === ZERO_TRACE || parentId === ZERO_PARENT) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes version 00. */
export function formatTraceparent(trace: Traceparent): string {
  return `00-${trace.traceId}-${trace.parentId}-${trace.sampled ? "01" : "00"}`;
}

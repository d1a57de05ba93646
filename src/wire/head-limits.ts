/** What a head may take of a connection, in either version of HTTP. */

/** The bounds of one head. */
export interface HeadLimits {
  /** Bytes of the whole head as HTTP/1.1 writes it, with its empty line. */
  readonly maxHeadBytes: number;
  /** Bytes of the request target. Unused for responses. */
  readonly maxTargetBytes: number;
  /** Field lines. */
  readonly maxFields: number;
}

/** What nginx, Envoy and Node allow by default lies between 8 and 60 KiB and 100 and 2000 fields. */
export const DEFAULT_HEAD_LIMITS: HeadLimits = Object.freeze({
  maxHeadBytes: 32 * 1024,
  maxTargetBytes: 8 * 1024,
  maxFields: 100,
});

/**
 * The numbers of RFC 9113 and RFC 8441 as these tests know them: written down a second time, and on
 * purpose not taken from `src/wire/http2`, so that a mistake there is not made here as well.
 */

/** RFC 9113 section 3.4. */
export const CLIENT_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** RFC 9113 section 6. */
export const TYPE = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
  /** RFC 9218 section 7.1. */
  priorityUpdate: 0x10,
} as const;

export const FLAGS = {
  none: 0x0,
  ack: 0x1,
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** RFC 9113 section 7. */
export const CODE = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

/** RFC 9113 section 6.5.2; the last one RFC 8441 section 3. */
export const SETTINGS = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
} as const;

export const DEFAULTS = {
  /** RFC 9113 section 6.9.2, of a connection and, until SETTINGS say otherwise, of each stream. */
  window: 65_535,
  /** RFC 9113 section 4.2: what every endpoint takes. */
  maxFrameSize: 16_384,
  /** RFC 9113 section 6.9.1. */
  maxWindow: 2 ** 31 - 1,
} as const;

/** The numbers of HTTP/2 and their names (RFC 9113 sections 3.4, 6, 6.5.2 and 7). */

/** What a client sends first (section 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Frame types (section 6). */
export const FRAME = {
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
} as const;

/** Frame flags; a bit means different things on different types. */
export const FLAG = {
  /** SETTINGS, PING. */
  ack: 0x1,
  /** DATA, HEADERS. */
  endStream: 0x1,
  /** HEADERS, CONTINUATION. */
  endHeaders: 0x4,
  /** DATA, HEADERS. */
  padded: 0x8,
  /** HEADERS. */
  priority: 0x20,
} as const;

/** Error codes (section 7). */
export const H2_ERROR = {
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

/** Setting identifiers (section 6.5.2; RFC 8441 section 3; RFC 9218 section 2.1). */
export const SETTING = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
  noRfc7540Priorities: 0x9,
} as const;

/** Sizes that the protocol itself fixes. */
export const SIZE = {
  /** Of a frame's header (section 4.1). */
  frameHeader: 9,
  /** The smallest SETTINGS_MAX_FRAME_SIZE there is, and the one before any SETTINGS. */
  minMaxFrame: 16_384,
  /** The largest SETTINGS_MAX_FRAME_SIZE there is. */
  maxMaxFrame: 16_777_215,
  /** Windows before any SETTINGS or WINDOW_UPDATE (section 6.9.2). */
  initialWindow: 65_535,
  /** No window may be larger (section 6.9.1). */
  maxWindow: 2_147_483_647,
  /** No stream identifier may be larger (section 5.1.1). */
  maxStreamId: 2_147_483_647,
} as const;

const NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
] as const;

/** The name of an error code, for people; of an unknown one its number. */
export function h2ErrorName(code: number): string {
  return NAMES[code] ?? `0x${code.toString(16)}`;
}

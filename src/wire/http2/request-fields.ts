/**
 * A decoded header block -> the request head that the rest of the house knows (RFC 9113 section 8.3.1).
 *
 * Stub.
 */
import type { Fields, RequestHead } from "../../model/http.ts";
import { headFault, type HeadFault } from "../head-fault.ts";
import type { HeadLimits } from "../head-limits.ts";

export { type HeadFault, isHeadFault } from "../head-fault.ts";
export { DEFAULT_HEAD_LIMITS, type HeadLimits } from "../head-limits.ts";

/** What a listener takes of a request. */
export interface RequestRules extends HeadLimits {
  /**
   * Makes a Sec-WebSocket-Key (RFC 6455 section 4.1) for an extended CONNECT (RFC 8441), so that gate
   * and services see the handshake that they know. Without it extended CONNECT is not served.
   */
  readonly newWebsocketKey?: (() => string) | undefined;
}

export interface Http2RequestHead {
  /**
   * `version` "2", `minorVersion` 1, `host` from `:authority` (or Host alone) and first among the fields,
   * cookies joined, `te: trailers` still among the fields. `bodyKind` is "length" where there is a
   * Content-Length (also with END_STREAM: then it is 0), else "none" with END_STREAM and "chunked"
   * without. An extended CONNECT is a GET without body, with `upgrade: "websocket"`,
   * `connectionOptions: ["upgrade"]` and a key; what follows on its stream is the tunnel's.
   */
  readonly head: RequestHead;
  /** `:scheme`; whether it is the connection's is for the caller to compare. */
  readonly scheme: "http" | "https";
  /** Whether it is an extended CONNECT: a taken upgrade is answered with 200 and without 101's fields. */
  readonly connect: boolean;
}

/** The head of a request. A fault makes the request malformed, not the connection. */
export function readRequestFields(
  fields: Fields,
  endStream: boolean,
  rules: RequestRules,
): Http2RequestHead | HeadFault {
  void [fields, endStream, rules];
  return headFault("to come");
}

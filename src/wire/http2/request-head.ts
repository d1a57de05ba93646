/** What an HTTP/2 request says: the head that every version has, and what only this one does. */
import type { RequestHead } from "../../model/http.ts";

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

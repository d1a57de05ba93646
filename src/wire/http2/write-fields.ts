/**
 * Header lists as we send them (RFC 9113 section 8): pseudo-fields first, framing from the parsed state
 * and never from a field.
 *
 * Throws a TypeError, as http1/write-head.ts does, for what may not go out: names that are not
 * lower-case tokens, connection-specific ones, `content-length` among the fields, values with CR, LF,
 * NUL or characters beyond latin1, and pseudo-values that are not visible ASCII.
 */
import type { Fields } from "../../model/http.ts";

export interface RequestLine {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Goes out as `:authority`; a `host` among the fields must be the same and is left out. */
  readonly authority: string;
  /** `:path`: origin form, or `*`. */
  readonly target: string;
  /** `:protocol` of an extended CONNECT (RFC 8441); `method` is then CONNECT. */
  readonly protocol?: "websocket" | undefined;
}

/** The list for a request. `contentLength`: written as `content-length` where given. */
export function requestFields(
  request: RequestLine,
  fields: Fields,
  contentLength?: number | undefined,
): string[] {
  void [request, fields, contentLength];
  throw new Error("to come");
}

/** The list for an answer, interim or final. `contentLength`: written as `content-length` where given. */
export function responseFields(
  status: number,
  fields: Fields,
  contentLength?: number | undefined,
): string[] {
  void [status, fields, contentLength];
  throw new Error("to come");
}

/** The list for trailers: checked as above. */
export function trailerFields(fields: Fields): string[] {
  void fields;
  throw new Error("to come");
}

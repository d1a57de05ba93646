/**
 * Which fields may come after the body (RFC 9110 section 6.5.1).
 *
 * Fields that frame, route, authenticate, condition or describe the message were needed before the
 * body: a service that merged them into the head would act on what no policy saw. They are dropped,
 * as the RFC allows, and three that nobody sends in good faith are refused; the rest goes on as
 * trailers and is never merged into the head by us.
 */
import type { Fields } from "../model/http.ts";
import { HOP_BY_HOP, isEndToEndName } from "./fields.ts";

const FORBIDDEN: ReadonlySet<string> = new Set([
  "accept",
  "age",
  "dpop", // a proof of possession: read in the head, and no service is shown it
  "expires",
  "location",
  "max-forwards",
  "pragma",
  "proxy-authenticate",
  "range",
  "retry-after",
  "set-cookie2",
  "tracestate",
  "user-agent",
  "warning",
]);

/** Whole families: representation metadata, conditionals, our own and CORS and security rules. */
const FORBIDDEN_PREFIXES = ["content-", "if-", "accept-", "access-control-", "sec-", "proxy-"];

/** Dropping would do, but only an attacker writes these after a body; llhttp and gunicorn refuse them too. */
const FRAMING: ReadonlySet<string> = new Set(["content-length", "host", "transfer-encoding"]);

/** What trailers may take of a connection, in either version of HTTP. */
export interface TrailerLimits {
  /** Bytes of the trailer section, as HTTP/1.1 writes it. */
  readonly maxTrailerBytes: number;
  /** Trailer fields. */
  readonly maxTrailerFields: number;
}

/** Trailers hold a digest or a status and its message. */
export const DEFAULT_TRAILER_LIMITS: TrailerLimits = Object.freeze({
  maxTrailerBytes: 8 * 1024,
  maxTrailerFields: 32,
});

/** Whether a lower-case name is refused after the body, with the whole message. */
export function isFramingTrailer(name: string): boolean {
  return FRAMING.has(name);
}

/** Whether a lower-case name means nothing after the body. `_` counts as `-`. */
export function isForbiddenTrailer(name: string): boolean {
  const dashed = name.replaceAll("_", "-");
  return (
    HOP_BY_HOP.has(dashed) ||
    FORBIDDEN.has(dashed) ||
    isEndToEndName(dashed) ||
    FORBIDDEN_PREFIXES.some((prefix) => dashed.startsWith(prefix))
  );
}

/** The trailers that may be passed on; order kept. */
export function allowedTrailers(fields: Fields): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    if (!isForbiddenTrailer(name)) kept.push(name, fields[index + 1] ?? "");
  }
  return kept;
}

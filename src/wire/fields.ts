/** What can be done with `Fields`: look up, tell hop-by-hop from end-to-end, drop what ends here. */
import type { Fields } from "../model/http.ts";
import { isIdentityName } from "./identity-fields.ts";

/**
 * Fields that mean something only between two neighbours (RFC 9110 section 7.6.1). `expect` is among
 * them because we answer it ourselves, after the gate; framing because it is written anew from the
 * parsed state.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Fields on which identity, routing, framing or caching rests: no message may have them dropped on the way. */
const END_TO_END: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "host",
  "origin",
  "set-cookie",
  "traceparent",
  "vary",
  "www-authenticate",
  "x-request-id",
]);

/** The first value of a lower-case name, or undefined. */
export function getField(fields: Fields, name: string): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) return fields[index + 1];
  }
  return undefined;
}

/** All values of a lower-case name, in order. */
export function getAllFields(fields: Fields, name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) values.push(fields[index + 1] ?? "");
  }
  return values;
}

/** Whether `Connection` may not name it (the head parsers refuse messages that do). */
export function isEndToEndName(name: string): boolean {
  return END_TO_END.has(name) || isIdentityName(name);
}

/**
 * The fields that go on: without hop-by-hop ones and those that `Connection` named, order kept.
 *
 * `connectionOptions` comes from a parsed head, whose parser has refused options that name
 * end-to-end fields; here such an option has no effect, should one come from elsewhere.
 */
export function forwardable(
  fields: Fields,
  connectionOptions: readonly string[] | undefined,
): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    if (HOP_BY_HOP.has(name)) continue;
    if (connectionOptions?.includes(name) === true && !isEndToEndName(name)) continue;
    kept.push(name, fields[index + 1] ?? "");
  }
  return kept;
}

/**
 * Header lists as we send them (RFC 9113 section 8): pseudo-fields first, framing from the parsed state
 * and never from a field.
 *
 * Throws a TypeError, as http1/write-head.ts does, for what may not go out: names that are not
 * lower-case tokens, connection-specific ones, TE other than `trailers`, `content-length` among the
 * fields, a Host that is not the authority, values with a control byte, white space around them or
 * characters beyond latin1, and pseudo-values that are not visible ASCII.
 */
import type { Fields } from "../../model/http.ts";
import { checkFieldValue } from "../field-text.ts";
import { keepNeverIndexed } from "../never-indexed.ts";
import { ROLE, fieldRole } from "./field-roles.ts";

/** What the pseudo-fields of a request say. */
export interface RequestTarget {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Goes out as `:authority`; a `host` among the fields must be the same and is left out. */
  readonly authority: string;
  /** `:path`: origin form, or `*`. */
  readonly target: string;
  /** `:protocol` of an extended CONNECT (RFC 8441); `method` is then CONNECT. */
  readonly protocol?: "websocket" | undefined;
}

const VISIBLE = /^[!-~]+$/;

/** The list for a request. `contentLength`: written as `content-length` where given. */
export function requestFields(
  request: RequestTarget,
  fields: Fields,
  contentLength?: number,
): string[] {
  const { method, scheme, authority, target, protocol } = request;
  if (!VISIBLE.test(method) || !VISIBLE.test(authority) || !VISIBLE.test(target)) {
    throw new TypeError("a method, authority or target that is not visible ASCII");
  }
  if (protocol !== undefined && method !== "CONNECT") {
    throw new TypeError("a protocol on a method other than CONNECT");
  }
  const list = [":method", method, ":scheme", scheme, ":authority", authority, ":path", target];
  if (protocol !== undefined) list.push(":protocol", protocol);
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const role = writableRole(name, value);
    if (role === ROLE.host) {
      if (value !== authority) throw new TypeError("a Host that is not the authority");
    } else if (role === ROLE.te && value !== "trailers") {
      throw new TypeError("TE other than trailers");
    } else {
      list.push(name, value);
    }
  }
  return withLength(list, contentLength);
}

/** The list for an answer, interim or final. `contentLength`: written as `content-length` where given. */
export function responseFields(status: number, fields: Fields, contentLength?: number): string[] {
  // Section 8.6: there is no 101.
  if (!Number.isInteger(status) || status < 100 || status > 599 || status === 101) {
    throw new TypeError(`no status ${status}`);
  }
  return withLength(appended([":status", String(status)], fields), contentLength);
}

/** The list for trailers. */
export function trailerFields(fields: Fields): string[] {
  return keepNeverIndexed(fields, appended([], fields));
}

function appended(list: string[], fields: Fields): string[] {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    if (writableRole(name, value) === ROLE.te) throw new TypeError("TE in an answer or trailers");
    list.push(name, value);
  }
  return list;
}

function writableRole(name: string, value: string): number {
  const role = fieldRole(name);
  if (role === ROLE.invalid || role === ROLE.pseudo) {
    throw new TypeError("a field name that is not a lower-case token");
  }
  if (role === ROLE.connectionSpecific || role === ROLE.contentLength) {
    throw new TypeError("a field that frames the message or is meant for an HTTP/1.1 neighbour");
  }
  if (!checkFieldValue(value)) {
    throw new TypeError(
      "a field value with a control byte, with white space around it or beyond latin1",
    );
  }
  return role;
}

function withLength(list: string[], contentLength: number | undefined): string[] {
  if (contentLength === undefined) return list;
  if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
    throw new TypeError(`no content-length of ${contentLength}`);
  }
  list.push("content-length", String(contentLength));
  return list;
}

/**
 * A decoded header block -> the request head that the rest of the house knows (RFC 9113 sections 8.1
 * to 8.3), as strict as wire/http1/request-head.ts: whatever is accepted, written as HTTP/1.1 and
 * parsed there, is the same head.
 *
 * Refused: pseudo-fields that are missing, repeated, unknown or late; an authority with user info or
 * one that Host disagrees with; names and values that HTTP/1.1 would read in another way
 * (regular-fields.ts); fields that are meant for a neighbour; `te` other than `trailers`; a
 * Content-Length that END_STREAM contradicts. What a listener limits in HTTP/1.1 it limits here, and
 * refuses for the same reasons. Whether DATA adds up to Content-Length is for the stream to see.
 */
import type { Fields, RequestHead } from "../../model/http.ts";
import { parseAuthority } from "../authority.ts";
import {
  emptyNotes,
  expectationFault,
  type FieldNotes,
  hostFault,
  noteField,
} from "../field-notes.ts";
import { headFault, type HeadFault, isHeadFault } from "../head-fault.ts";
import { keepNeverIndexed } from "../never-indexed.ts";
import type { HeadLimits } from "../head-limits.ts";
import { fieldRole, ROLE } from "./field-roles.ts";
import { type PseudoFields, readPseudoFields } from "./pseudo-fields.ts";
import { judgeField, sizeFault } from "./regular-fields.ts";
import type { Http2RequestHead } from "./request-head.ts";
import type { RequestMemo } from "./request-memo.ts";
import { readRequestLine, type RequestLine } from "./request-line.ts";

export { type HeadFault, isHeadFault } from "../head-fault.ts";
export { DEFAULT_HEAD_LIMITS, type HeadLimits } from "../head-limits.ts";
export type { Http2RequestHead } from "./request-head.ts";

/** What a listener takes of a request. */
export interface RequestRules extends HeadLimits {
  /**
   * Makes a Sec-WebSocket-Key (RFC 6455 section 4.1) for an extended CONNECT (RFC 8441), so that gate
   * and services see the handshake that they know. Without it extended CONNECT is not served.
   */
  readonly newWebsocketKey?: (() => string) | undefined;
  /** Of this connection. With it the lists must not change afterwards. */
  readonly memo?: RequestMemo | undefined;
}

const FAULTS = {
  authority: headFault(":authority is not a valid authority", "invalid-host"),
  hostMissing: headFault("neither :authority nor Host", "invalid-host"),
  hostDiffers: headFault("Host is not what :authority says", "invalid-host"),
  te: headFault("TE with something other than trailers"),
  endsEarly: headFault("END_STREAM although Content-Length announces a body"),
  connectBody: headFault("an extended CONNECT with END_STREAM or Content-Length"),
} as const;

/** RFC 8441 section 5: keys are not used over HTTP/2. A service gets the one that is made for it. */
const WEBSOCKET_KEY = "sec-websocket-key";
const UPGRADE: readonly string[] = Object.freeze(["upgrade"]);
/** What the request line, Host's line and the empty line of HTTP/1.1 have beside their values. */
const LINES_BYTES = " ".length + " HTTP/1.1\r\n".length + "host: \r\n".length + "\r\n".length;

/** The head of a request. A fault makes the request malformed, not the connection. */
export function readRequestFields(
  fields: Fields,
  endStream: boolean,
  rules: RequestRules,
): Http2RequestHead | HeadFault {
  const known = rules.memo?.recall(fields, endStream);
  if (known !== undefined) return known;
  const read = readRequest(fields, endStream, rules);
  if (!isHeadFault(read)) rules.memo?.remember(fields, endStream, read);
  return read;
}

function readRequest(
  fields: Fields,
  endStream: boolean,
  rules: RequestRules,
): Http2RequestHead | HeadFault {
  const pseudo = readPseudoFields(fields, "request");
  if (isHeadFault(pseudo)) return pseudo;
  const line = readRequestLine(pseudo, rules, rules.newWebsocketKey !== undefined);
  if (isHeadFault(line)) return line;
  const bytes =
    LINES_BYTES + line.method.length + line.target.length + (pseudo.authority?.length ?? 0);
  const large = sizeFault(fields, { start: pseudo.end, bytes }, bounds(rules));
  if (large !== undefined) return large;

  const notes = emptyNotes();
  // Its value follows when it is known.
  const kept = ["host", ""];
  const fault =
    readFields(kept, notes, { fields, start: pseudo.end, memo: rules.memo }) ??
    expectationFault(notes) ??
    bodyFault(line, notes, endStream);
  if (fault !== undefined) return fault;
  const host = authorityOf(pseudo, notes);
  if (typeof host !== "string") return host;
  kept[1] = host;
  if (line.connect) useKey(kept, rules.newWebsocketKey as () => string);
  const head = requestHead(line, notes, {
    fields: keepNeverIndexed(fields, kept),
    host,
    endStream,
  });
  return { head, scheme: line.scheme, connect: line.connect };
}

function bounds(rules: HeadLimits): { readonly maxFields: number; readonly maxBytes: number } {
  return { maxFields: rules.maxFields, maxBytes: rules.maxHeadBytes };
}

/** All but Host go into `kept`, in order; crumbs of a cookie into the first one. */
function readFields(
  kept: string[],
  notes: FieldNotes,
  block: {
    readonly fields: Fields;
    readonly start: number;
    readonly memo: RequestMemo | undefined;
  },
): HeadFault | undefined {
  const { fields, start, memo } = block;
  let cookieAt = 0;
  for (let index = start; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const good = memo?.holds(fields, index) === true;
    const role = good ? fieldRole(name) : judgeField(name, value);
    if (typeof role !== "number") return role;
    if (role !== ROLE.other) {
      if (role === ROLE.te && value !== "trailers") return FAULTS.te;
      const fault = noteField(notes, role, value);
      if (fault !== undefined) return fault;
      if (role === ROLE.host) continue;
      if (role === ROLE.cookie) {
        if (cookieAt !== 0) {
          kept[cookieAt] = joinCrumbs(kept[cookieAt] as string, value);
          continue;
        }
        cookieAt = kept.length + 1;
      }
    }
    kept.push(name, value);
  }
  return undefined;
}

/** Section 8.2.3. An empty crumb holds no cookie; joined, it would leave white space at the end. */
function joinCrumbs(before: string, crumb: string): string {
  if (before === "" || crumb === "") return before + crumb;
  return `${before}; ${crumb}`;
}

/** Section 8.3.1. A service that believes the other one of two names is another host than policy saw. */
function authorityOf(pseudo: PseudoFields, notes: FieldNotes): string | HeadFault {
  const { authority } = pseudo;
  const { host } = notes;
  const fault = hostFault(notes);
  if (fault !== undefined) return fault;
  if (authority === undefined) return host ?? FAULTS.hostMissing;
  // Neither user info nor an empty authority is one.
  const asked = parseAuthority(authority);
  if (asked === undefined) return FAULTS.authority;
  const agrees = host === undefined || parseAuthority(host)?.text === asked.text;
  return agrees ? authority : FAULTS.hostDiffers;
}

/** Section 8.1.1; RFC 8441 section 5: DATA of an extended CONNECT is the tunnel's. */
function bodyFault(
  line: RequestLine,
  notes: FieldNotes,
  endStream: boolean,
): HeadFault | undefined {
  if (line.connect) return endStream || notes.contentLength !== -1 ? FAULTS.connectBody : undefined;
  return endStream && notes.contentLength > 0 ? FAULTS.endsEarly : undefined;
}

function useKey(fields: string[], newKey: () => string): void {
  for (let index = fields.length - 2; index >= 0; index -= 2) {
    if (fields[index] === WEBSOCKET_KEY) fields.splice(index, 2);
  }
  fields.push(WEBSOCKET_KEY, newKey());
}

function requestHead(
  line: RequestLine,
  notes: FieldNotes,
  rest: { readonly fields: Fields; readonly host: string; readonly endStream: boolean },
): RequestHead {
  const { connect } = line;
  const hasLength = notes.contentLength !== -1;
  const bodyKind = hasLength ? "length" : rest.endStream || connect ? "none" : "chunked";
  return {
    method: line.method,
    target: line.target,
    version: "2",
    minorVersion: 1,
    fields: rest.fields,
    host: rest.host,
    authorization: notes.authorization,
    authorizationCount: notes.authorizationCount,
    bodyKind,
    contentLength: hasLength ? notes.contentLength : 0,
    keepAlive: true,
    expectContinue: notes.expect !== undefined,
    connectionOptions: connect ? UPGRADE : undefined,
    upgrade: connect ? "websocket" : undefined,
  };
}

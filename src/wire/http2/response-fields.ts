/**
 * A decoded header block -> the response head that the rest of the house knows (RFC 9113 sections 8.1
 * to 8.3), as strict as wire/http1/response-head.ts: an answer that HTTP/1.1 would read in another
 * way is the service's fault (`upstream-protocol`, 502).
 *
 * Refused beside what requests are refused for: a status that is missing, repeated or not three digits
 * from 100 to 599, 101 (section 8.6), an interim answer that ends the stream, a length in an interim or
 * 204 answer, `te`, and a Content-Length that END_STREAM contradicts.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import { emptyNotes, type FieldNotes, noteField } from "../field-notes.ts";
import { FIELD } from "../field-name.ts";
import { headFault, type HeadFault, isHeadFault } from "../head-fault.ts";
import { keepNeverIndexed } from "../never-indexed.ts";
import { ROLE } from "./field-roles.ts";
import { readPseudoFields } from "./pseudo-fields.ts";
import { judgeField } from "./regular-fields.ts";

/** What the answer is an answer to. */
export interface ResponseContext {
  /** As sent in `:method`: GET, HEAD, …, or CONNECT for an extended one. */
  readonly method: string;
}

const FAULTS = {
  statusMissing: headFault(":status is missing", "upstream-protocol"),
  status: headFault(":status is not three digits from 100 to 599", "upstream-protocol"),
  upgrade: headFault("101 in HTTP/2", "upstream-protocol"),
  te: headFault("TE in an answer", "upstream-protocol"),
  interimEnd: headFault("an interim answer that ends the stream", "upstream-protocol"),
  interimFraming: headFault("a framing field in a 1xx or 204 answer", "upstream-protocol"),
  connectFraming: headFault("a framing field in a taken CONNECT", "upstream-protocol"),
  endsEarly: headFault("END_STREAM although Content-Length announces a body", "upstream-protocol"),
} as const;

const STATUS = /^[1-5][0-9]{2}$/;

/** How the answer stands in its stream. */
interface Answer {
  readonly status: number;
  readonly endStream: boolean;
  /** Whether the length of a body may be said though there is none (RFC 9110 section 8.6). */
  readonly bodiless: boolean;
  /** Whether it opens a tunnel (RFC 8441 section 5, RFC 9110 section 9.3.6). */
  readonly tunnel: boolean;
}

/**
 * The head of an answer. Every fault has the reason `upstream-protocol`.
 *
 * Interim answers come out with their status and `bodyKind` "none"; the final one follows. `bodyKind`
 * is "length" with a Content-Length, else "none" with END_STREAM (and for HEAD, 204, 304), else
 * "chunked": its end is marked and trailers may follow. A 2xx to CONNECT has "none": what follows is
 * the tunnel's. `minorVersion` 1, `keepAlive` true.
 */
export function readResponseFields(
  fields: Fields,
  endStream: boolean,
  context: ResponseContext,
): ResponseHead | HeadFault {
  const pseudo = readPseudoFields(fields, "response");
  if (isHeadFault(pseudo)) return upstreamFault(pseudo);
  if (pseudo.status === undefined) return FAULTS.statusMissing;
  if (!STATUS.test(pseudo.status)) return FAULTS.status;
  const status = Number(pseudo.status);
  const notes = emptyNotes();
  const kept: string[] = [];
  const fault = readFields(kept, notes, { fields, start: pseudo.end });
  if (fault !== undefined) return upstreamFault(fault);
  const answer: Answer = {
    status,
    endStream,
    bodiless: context.method === "HEAD" || status === 304,
    tunnel: context.method === "CONNECT" && status >= 200 && status < 300,
  };
  return statusFault(answer, notes) ?? responseHead(answer, notes, keepNeverIndexed(fields, kept));
}

function readFields(
  kept: string[],
  notes: FieldNotes,
  block: { readonly fields: Fields; readonly start: number },
): HeadFault | undefined {
  const { fields, start } = block;
  for (let index = start; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const role = judgeField(name, value);
    if (typeof role !== "number") return role;
    if (role === ROLE.te) return FAULTS.te;
    if (role === FIELD.contentLength) {
      const fault = noteField(notes, role, value);
      if (fault !== undefined) return fault;
    }
    kept.push(name, value);
  }
  return undefined;
}

/** What the versions share speaks of requests; these are the service's. */
function upstreamFault(fault: HeadFault): HeadFault {
  return { reason: "upstream-protocol", detail: fault.detail };
}

function statusFault(answer: Answer, notes: FieldNotes): HeadFault | undefined {
  const { status, endStream } = answer;
  const { contentLength } = notes;
  if (status === 101) return FAULTS.upgrade;
  if (status < 200 && endStream) return FAULTS.interimEnd;
  // A length of zero is common after 204 and harmless, as in HTTP/1.1.
  if (status < 200 || (status === 204 && contentLength !== 0)) {
    return contentLength === -1 ? undefined : FAULTS.interimFraming;
  }
  if (answer.tunnel) return contentLength === -1 ? undefined : FAULTS.connectFraming;
  return endStream && !answer.bodiless && contentLength > 0 ? FAULTS.endsEarly : undefined;
}

function responseHead(answer: Answer, notes: FieldNotes, fields: Fields): ResponseHead {
  const { status, endStream, bodiless, tunnel } = answer;
  const hasLength = notes.contentLength !== -1;
  const none = bodiless || tunnel || status < 200 || status === 204;
  const bodyKind = none ? "none" : hasLength ? "length" : endStream ? "none" : "chunked";
  return {
    status,
    minorVersion: 1,
    fields,
    bodyKind,
    contentLength: bodiless || bodyKind === "length" ? notes.contentLength : 0,
    keepAlive: true,
    connectionOptions: undefined,
  };
}

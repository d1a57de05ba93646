/**
 * The strict HTTP/1.1 response head parser (RFC 9112 sections 4 to 6), for what a service answers.
 *
 * The same rules for lines and fields as for requests: an answer that can be read in two ways is a
 * fault (`upstream-protocol`, 502), because our caller might read it in the other one. Beyond that it
 * refuses 101 when no upgrade was asked for, interim and 204 answers with a framing field, and
 * chunked from HTTP/1.0. Interim answers other than 101 come out with their status and without a
 * body; the caller reads the next head.
 */
import type { BodyKind, ResponseHead } from "../../model/http.ts";
import { headFault, type HeadFault } from "../head-fault.ts";
import type { HeadLimits } from "../head-limits.ts";
import { emptySection, type FieldSection, readFieldLines } from "./field-lines.ts";
import type { SectionMemo } from "./section-memo.ts";
import { transferCodingFault } from "./transfer-coding.ts";

/** What the answer is an answer to. */
export interface ResponseContext {
  /** Method of the request: an answer to HEAD has no body whatever its fields say. */
  readonly method: string;
  /** Whether the request asked for an upgrade. */
  readonly upgrade: boolean;
}

const FAULTS = {
  tooLarge: headFault("the head has more bytes than the limit", "upstream-protocol"),
  statusLine: headFault(
    "the status line is not HTTP/1.x SP 3DIGIT SP [REASON] CR LF",
    "upstream-protocol",
  ),
  upgrade: headFault("101 although no upgrade was asked for", "upstream-protocol"),
  interimFraming: headFault("a framing field in a 1xx or 204 answer", "upstream-protocol"),
  bothFramings: headFault("Content-Length together with Transfer-Encoding", "upstream-protocol"),
  codingVersion: headFault("Transfer-Encoding on HTTP/1.0", "upstream-protocol"),
} as const;

/** The space after the status is required (section 4), but servers without a reason phrase drop it. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t -~\x80-\xff]*)?\r\n/;
const STATUS_END = 12;
const LF = 0x0a;

/**
 * Parses the head that lies in `buffer` from `start` to `end`, where `end` is what `findHeadEnd`
 * returned. Every fault has the reason `upstream-protocol`.
 */
export function parseResponseHead(
  buffer: Buffer,
  start: number,
  end: number,
  options: {
    readonly limits: HeadLimits;
    readonly request: ResponseContext;
    readonly memo?: SectionMemo;
  },
): ResponseHead | HeadFault {
  const { limits, request, memo } = options;
  if (end - start > limits.maxHeadBytes) return FAULTS.tooLarge;
  const position = buffer.indexOf(LF, start) + 1;
  let section = memo?.recall(buffer, position, end);
  // Where the fields are known, the line alone is decoded.
  const text = buffer.toString("latin1", start, section === undefined ? end : position);
  if (!STATUS_LINE.test(text)) return FAULTS.statusLine;
  const status = Number(text.slice(STATUS_END - 3, STATUS_END));
  const minorVersion = text.charCodeAt(7) === 0x31 ? 1 : 0;

  if (section === undefined) {
    section = emptySection();
    const fault = readFieldLines(
      section,
      { bytes: buffer, offset: start, text },
      { position: position - start, maxFields: limits.maxFields, framing: true },
    );
    if (fault !== undefined) return upstreamFault(fault);
    memo?.remember(section, { buffer, start: position, end });
  }
  return (
    framingFault(section, minorVersion) ??
    statusFault(section, status, request) ??
    responseHead(section, { status, minorVersion, request })
  );
}

/** The parsers share their lines and with them faults that speak of requests; these are the service's. */
function upstreamFault(fault: HeadFault): HeadFault {
  return { reason: "upstream-protocol", detail: fault.detail };
}

function framingFault(section: FieldSection, minorVersion: 0 | 1): HeadFault | undefined {
  const { transferEncoding } = section;
  if (transferEncoding === undefined) return undefined;
  if (section.contentLength !== -1) return FAULTS.bothFramings;
  if (minorVersion === 0) return FAULTS.codingVersion;
  const fault = transferCodingFault(transferEncoding);
  return fault === undefined ? undefined : upstreamFault(fault);
}

function statusFault(
  section: FieldSection,
  status: number,
  request: ResponseContext,
): HeadFault | undefined {
  if (status === 101 && !(request.upgrade && section.upgrade !== undefined)) return FAULTS.upgrade;
  if (status >= 200 && status !== 204) return undefined;
  // RFC 9110 sections 8.6 and 15.2, RFC 9112 section 6.1: neither field may be there, and peers
  // disagree about what follows when one is. A length of zero is common after 204 and harmless.
  const length = status === 204 && section.contentLength === 0 ? -1 : section.contentLength;
  return length !== -1 || section.transferEncoding !== undefined
    ? FAULTS.interimFraming
    : undefined;
}

function responseHead(
  section: FieldSection,
  line: {
    readonly status: number;
    readonly minorVersion: 0 | 1;
    readonly request: ResponseContext;
  },
): ResponseHead {
  const { status, minorVersion, request } = line;
  const bodyKind = bodyKindOf(section, status, request);
  const bodiless = request.method === "HEAD" || status === 304;
  return {
    status,
    minorVersion,
    fields: section.fields,
    bodyKind,
    contentLength: bodiless || bodyKind === "length" ? section.contentLength : 0,
    keepAlive:
      bodyKind !== "until-close" && !section.close && (minorVersion === 1 || section.keepAlive),
    connectionOptions: section.options,
  };
}

/** RFC 9112 section 6.3, in its order. */
function bodyKindOf(section: FieldSection, status: number, request: ResponseContext): BodyKind {
  if (request.method === "HEAD" || status < 200 || status === 204 || status === 304) return "none";
  if (section.transferEncoding !== undefined) return "chunked";
  return section.contentLength === -1 ? "until-close" : "length";
}

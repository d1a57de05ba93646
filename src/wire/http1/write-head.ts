/**
 * Heads as we write them: one latin1 string, framing from the parsed state and never from a field.
 *
 * Header injection is impossible by construction: names and values come from the strict parser or
 * passed `checkFieldValue` when the configuration was loaded, framing fields in the list are a
 * programmer error, and the writers throw a TypeError for a value with CR, LF, NUL or characters beyond
 * latin1, for a name that is not a lower-case token, and for a method or target that is not visible
 * ASCII.
 */
import type { BodyKind, Fields } from "../../model/http.ts";
import { assertFieldValue, checkFieldName } from "../field-text.ts";

/** How the message that follows is delimited. */
export interface HeadFraming {
  /** `until-close` writes no framing field and `connection: close`. */
  readonly bodyKind: BodyKind;
  /** Bytes; written when `bodyKind` is `length`. */
  readonly contentLength: number;
  /** `connection: close`, `keep-alive` or `upgrade`; undefined writes none. */
  readonly connection: "close" | "keep-alive" | "upgrade" | undefined;
}

const NOT_VISIBLE = /[^!-~]/;
/** Fields that only `HeadFraming` may write. */
const FRAMING: ReadonlySet<string> = new Set(["connection", "content-length", "transfer-encoding"]);

const LIMITS = {
  /** Names that were found good; forgotten all at once when full, so invented names cost no memory. */
  goodNames: 1024,
} as const;

const goodNames = new Set<string>();

/** Reason phrases mean nothing (RFC 9112 section 4) but people read them. */
const PHRASES: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** A request head as HTTP/1.1. `fields` include `host`. */
export function writeRequestHead(
  request: { readonly method: string; readonly target: string },
  fields: Fields,
  framing: HeadFraming,
): string {
  const { method, target } = request;
  if (NOT_VISIBLE.test(method) || NOT_VISIBLE.test(target)) {
    throw new TypeError("a method or target that is not visible ASCII");
  }
  return `${method} ${target} HTTP/1.1\r\n${writeFieldLines(fields)}${framingLines(framing)}\r\n`;
}

/** A response head as HTTP/1.1, whatever version the request had (RFC 9112 section 2.3). */
export function writeResponseHead(status: number, fields: Fields, framing: HeadFraming): string {
  return `${statusLine(status)}${writeFieldLines(fields)}${framingLines(framing)}\r\n`;
}

/** `HTTP/1.1 100 Continue` and the like, complete. */
export function writeInterimHead(status: number, fields: Fields): string {
  return `${statusLine(status)}${writeFieldLines(fields)}\r\n`;
}

/** The lines alone, for heads and trailers. */
export function writeFieldLines(fields: Fields): string {
  let lines = "";
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    assertFieldValue(value);
    if (!goodNames.has(name)) checkWritable(name);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${PHRASES[status] ?? ""}\r\n`;
}

function checkWritable(name: string): void {
  if (!checkFieldName(name) || FRAMING.has(name)) {
    throw new TypeError("a field name that is not a lower-case token, or that frames the message");
  }
  if (goodNames.size >= LIMITS.goodNames) goodNames.clear();
  goodNames.add(name);
}

function framingLines(framing: HeadFraming): string {
  const { bodyKind, contentLength } = framing;
  let lines = "";
  if (bodyKind === "chunked") lines = "transfer-encoding: chunked\r\n";
  else if (bodyKind === "length") {
    if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
      throw new TypeError(`no content-length of ${contentLength}`);
    }
    lines = `content-length: ${contentLength}\r\n`;
  }
  const connection = bodyKind === "until-close" ? "close" : framing.connection;
  return connection === undefined ? lines : `${lines}connection: ${connection}\r\n`;
}

/**
 * Reads a byte stream as the strict parsers of wire/ read it: request after request, to the first
 * fault, the first request that is not complete, or the one that closes the connection; or one answer.
 */
import type { Fields, RequestHead, ResponseHead } from "../../src/model/http.ts";
import { ChunkedDecoder } from "../../src/wire/http1/chunked.ts";
import {
  DEFAULT_HEAD_LIMITS,
  findHeadEnd,
  type HeadFault,
  isHeadFault,
  parseRequestHead,
} from "../../src/wire/http1/request-head.ts";
import { parseResponseHead } from "../../src/wire/http1/response-head.ts";

export interface ReadRequest {
  readonly head: RequestHead;
  /** latin1. */
  readonly body: string;
  readonly trailers: Fields;
}

export interface ReadStream {
  /** Complete requests before the end. */
  readonly requests: readonly ReadRequest[];
  /** `complete`: nothing is left; `closed`: the last one closes; `incomplete`: the rest is a part of a request. */
  readonly end: "complete" | "closed" | "incomplete" | HeadFault;
}

interface Body {
  readonly body: string;
  readonly trailers: Fields;
  readonly end: number;
}

/** All requests of the stream. */
export function readRequests(bytes: Buffer): ReadStream {
  const requests: ReadRequest[] = [];
  let position = 0;
  while (position < bytes.length) {
    const headEnd = findHeadEnd(bytes, position, position);
    if (headEnd === -1) return { requests, end: "incomplete" };
    const head = parseRequestHead(bytes, position, headEnd, DEFAULT_HEAD_LIMITS);
    if (isHeadFault(head)) return { requests, end: head };
    const body = readBody(head, bytes, headEnd);
    if (body === undefined) return { requests, end: "incomplete" };
    if (isHeadFault(body)) return { requests, end: body };
    requests.push({ head, body: body.body, trailers: body.trailers });
    if (!head.keepAlive) return { requests, end: "closed" };
    position = body.end;
  }
  return { requests, end: "complete" };
}

function readBody(head: RequestHead, bytes: Buffer, start: number): Body | HeadFault | undefined {
  if (head.bodyKind === "chunked") return readChunked(bytes, start);
  const end = start + head.contentLength;
  if (end > bytes.length) return undefined;
  return { body: bytes.toString("latin1", start, end), trailers: [], end };
}

function readChunked(bytes: Buffer, start: number): Body | HeadFault | undefined {
  const decoder = new ChunkedDecoder();
  let body = "";
  const end = decoder.write(bytes, start, (data) => (body += data.toString("latin1")));
  if (typeof end !== "number") return end;
  return decoder.done ? { body, trailers: decoder.trailers, end } : undefined;
}

export interface ReadResponse {
  /** The final answer, where one was read; interim ones before it are passed over. */
  readonly head: ResponseHead | undefined;
  /** latin1. */
  readonly body: string;
  readonly trailers: Fields;
  readonly end: "complete" | "incomplete" | HeadFault;
  /** Index after the answer, where it is complete. */
  readonly taken: number;
}

/** The answer to one request without an upgrade, on a connection that ends after these bytes. */
export function readResponse(bytes: Buffer, method: string = "GET"): ReadResponse {
  const options = { limits: DEFAULT_HEAD_LIMITS, request: { method, upgrade: false } };
  const none = { head: undefined, body: "", trailers: [], taken: 0 } as const;
  let position = 0;
  for (;;) {
    const headEnd = findHeadEnd(bytes, position, position);
    if (headEnd === -1) return { ...none, end: "incomplete" };
    const head = parseResponseHead(bytes, position, headEnd, options);
    if (isHeadFault(head)) return { ...none, end: head };
    if (head.status >= 200) return readResponseBody(head, bytes, headEnd);
    position = headEnd;
  }
}

function readResponseBody(head: ResponseHead, bytes: Buffer, start: number): ReadResponse {
  const none = { head, body: "", trailers: [], taken: 0 } as const;
  if (head.bodyKind === "chunked") {
    const read = readChunked(bytes, start);
    if (read === undefined) return { ...none, end: "incomplete" };
    if (isHeadFault(read)) return { ...none, end: read };
    return { head, body: read.body, trailers: read.trailers, end: "complete", taken: read.end };
  }
  const end = head.bodyKind === "until-close" ? bytes.length : start + bodyLength(head);
  const body = bytes.toString("latin1", start, end);
  return { ...none, body, end: end > bytes.length ? "incomplete" : "complete", taken: end };
}

function bodyLength(head: ResponseHead): number {
  return head.bodyKind === "length" ? head.contentLength : 0;
}

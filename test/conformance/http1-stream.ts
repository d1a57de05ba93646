/**
 * Reads a byte stream as the strict parsers of wire/ read it: request after request, to the first
 * fault, the first request that is not complete, or the one that closes the connection.
 */
import type { Fields, RequestHead } from "../../src/model/http.ts";
import { ChunkedDecoder } from "../../src/wire/http1/chunked.ts";
import {
  DEFAULT_HEAD_LIMITS,
  findHeadEnd,
  type HeadFault,
  isHeadFault,
  parseRequestHead,
} from "../../src/wire/http1/request-head.ts";

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

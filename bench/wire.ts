/**
 * What parsing and writing cost, in nanoseconds for each call, one core: `tools/with-runtime bun bench/wire.ts`
 * and the same with `node`. The figures in src/wire/ come from here.
 *
 * Best of several rounds, because what disturbs a round only ever makes it slower.
 */
import { canonicalPath, splitTarget } from "../src/wire/path.ts";
import { parseAuthority } from "../src/wire/authority.ts";
import { parseAuthorization } from "../src/wire/authorization.ts";
import { forwardable } from "../src/wire/fields.ts";
import { stripIdentityFields } from "../src/wire/identity-fields.ts";
import { ChunkedDecoder } from "../src/wire/http1/chunked.ts";
import {
  DEFAULT_HEAD_LIMITS,
  findHeadEnd,
  isHeadFault,
  parseRequestHead,
} from "../src/wire/http1/request-head.ts";
import { parseResponseHead } from "../src/wire/http1/response-head.ts";
import { SectionMemo } from "../src/wire/http1/section-memo.ts";
import { writeRequestHead, writeResponseHead } from "../src/wire/http1/write-head.ts";
import { HPACK_CASES } from "./hpack-cases.ts";
import { HTTP2_CASES } from "./http2-cases.ts";

const ROUNDS = 15;
const CALLS = 20_000;

const token = `eyJhbGciOiJSUzI1NiJ9.${"eyJzdWIiOiJhIiwiZXhwIjox".repeat(12)}.${"c2ln".repeat(85)}`;
const small = Buffer.from(
  "GET /billing/records/1 HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
  "latin1",
);
const usual = Buffer.from(
  [
    "GET /billing/records/1234?from=2026-01-01 HTTP/1.1",
    "Host: api.example.com",
    `Authorization: Bearer ${token}`,
    "User-Agent: checkout/1.4 (linux; x64)",
    "Accept: application/json",
    "Accept-Encoding: gzip, deflate, br",
    "Connection: keep-alive",
    "Content-Type: application/json",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "X-Request-Id: 5b1c0d3e-8f0a-4a52-9a55-1c2f3b4d5e6f",
    "X-Tenant: acme",
    "\r\n",
  ].join("\r\n"),
  "latin1",
);
const answer = Buffer.from(
  [
    "HTTP/1.1 200 OK",
    "Server: nginx/1.22.1",
    "Date: Sat, 01 Aug 2026 12:00:00 GMT",
    "Content-Type: application/json",
    "Content-Length: 130",
    "Last-Modified: Sat, 01 Aug 2026 11:00:00 GMT",
    "Connection: keep-alive",
    'ETag: "6a6e0d50-82"',
    "Accept-Ranges: bytes",
    "\r\n",
  ].join("\r\n"),
  "latin1",
);
const chunks = Buffer.from(`${`400\r\n${"x".repeat(1024)}\r\n`.repeat(16)}0\r\n\r\n`, "latin1");

const parsed = parseRequestHead(usual, 0, usual.length, DEFAULT_HEAD_LIMITS);
if (isHeadFault(parsed)) throw new TypeError(parsed.detail);
const { fields } = parsed;
const forwarded = stripIdentityFields(forwardable(fields, parsed.connectionOptions));
const framing = { bodyKind: "none", contentLength: 0, connection: "keep-alive" } as const;
const response = { limits: DEFAULT_HEAD_LIMITS, request: { method: "GET", upgrade: false } };
const limits = { ...DEFAULT_HEAD_LIMITS, memo: new SectionMemo() };
/** `usual` with another last byte in its fields: never the section that was read before. */
const other = Buffer.from(usual);
other.write("f", usual.length - 5);
let turn = 0;
let bytes = 0;

const CASES: Readonly<Record<string, () => unknown>> = {
  "findHeadEnd, 11 fields": () => findHeadEnd(usual, 0, 0),
  "parseRequestHead, 1 field, 58 bytes": () =>
    parseRequestHead(small, 0, small.length, DEFAULT_HEAD_LIMITS),
  [`parseRequestHead, 10 fields, ${usual.length} bytes`]: () =>
    parseRequestHead(usual, 0, usual.length, DEFAULT_HEAD_LIMITS),
  "… with the fields of the head before": () => parseRequestHead(usual, 0, usual.length, limits),
  "… with a memo, but other fields": () => {
    turn += 1;
    return parseRequestHead(turn % 2 === 0 ? usual : other, 0, usual.length, limits);
  },
  [`parseResponseHead, 8 fields, ${answer.length} bytes`]: () =>
    parseResponseHead(answer, 0, answer.length, response),
  "parseAuthority, seen before": () => parseAuthority("api.example.com:8080"),
  "parseAuthorization, JWT": () => parseAuthorization(parsed.authorization ?? ""),
  splitTarget: () => splitTarget("/billing/records/1234?from=2026-01-01", "api.example.com"),
  "canonicalPath, canonical": () => canonicalPath("/billing/records/1234"),
  "canonicalPath, escapes": () => canonicalPath("/billing/%7erecords/./%c3%a9/1234"),
  "forwardable, 10 fields": () => forwardable(fields, undefined),
  "stripIdentityFields, 10 fields": () => stripIdentityFields(fields),
  "writeRequestHead, 9 fields": () =>
    Buffer.from(writeRequestHead(parsed, forwarded, framing), "latin1"),
  "writeResponseHead, 9 fields": () =>
    Buffer.from(writeResponseHead(200, forwarded, framing), "latin1"),
  "ChunkedDecoder, 16 chunks of 1 KiB": () =>
    new ChunkedDecoder().write(chunks, 0, (data) => (bytes += data.length)),
  ...HPACK_CASES,
  ...HTTP2_CASES,
};

const runtime = process.versions["bun"] === undefined ? "node" : "bun";
console.log(`${runtime} ${process.versions["bun"] ?? process.versions.node}, ns for each call`);
for (const [name, call] of Object.entries(CASES)) {
  console.log(`${Math.round(best(call)).toString().padStart(8)}  ${name}`);
}

function best(call: () => unknown): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    for (let index = 0; index < CALLS; index++) call();
    fastest = Math.min(fastest, performance.now() - started);
  }
  return (fastest * 1e6) / CALLS;
}

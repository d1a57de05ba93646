/** What frames and heads of HTTP/2 cost without HPACK, for bench/wire.ts. */
import {
  DEFAULT_FRAME_LIMITS,
  type FrameHandler,
  FrameReader,
} from "../src/wire/http2/frame-reader.ts";
import { FrameWriter } from "../src/wire/http2/frame-writer.ts";
import { DEFAULT_HEAD_LIMITS, readRequestFields } from "../src/wire/http2/request-fields.ts";
import { RequestMemo } from "../src/wire/http2/request-memo.ts";
import { readResponseFields } from "../src/wire/http2/response-fields.ts";
import { requestFields, responseFields } from "../src/wire/http2/write-fields.ts";

const token = `eyJhbGciOiJSUzI1NiJ9.${"eyJzdWIiOiJhIiwiZXhwIjox".repeat(12)}.${"c2ln".repeat(85)}`;
/** As the usual head of bench/wire.ts. Flat strings, as from a decoder. */
const fields = [
  ["authorization", `Bearer ${token}`, "user-agent", "checkout/1.4 (linux; x64)"],
  ["accept", "application/json", "accept-encoding", "gzip, deflate, br"],
  ["content-type", "application/json", "x-tenant", "acme"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ["x-request-id", "5b1c0d3e-8f0a-4a52-9a55-1c2f3b4d5e6f"],
]
  .flat()
  .map((text) => Buffer.from(text, "latin1").toString("latin1"));
const target = "/billing/records/1234?from=2026-01-01";
const line = { method: "GET", scheme: "https", authority: "api.example.com", target } as const;

const request = requestFields(line, fields);
const answer = responseFields(200, ["server", "nginx/1.22.1", "etag", '"6a6e0d50-82"'], 130);
const rules = { ...DEFAULT_HEAD_LIMITS, memo: new RequestMemo() };
/** Lists that differ in the path alone: never the one that was read before. */
const lists = Array.from({ length: 16 }, (_, index) =>
  requestFields({ ...line, target: `${target}${index}` }, fields),
);
const block = Buffer.alloc(60, "x");
const body = Buffer.alloc(1024, "x");
let turn = 0;
let bytes = 0;

const ignore = (): void => {};
const handler: FrameHandler = {
  data: (_streamId, payload) => (bytes += payload.length),
  headers: ignore,
  rstStream: ignore,
  settings: ignore,
  settingsAck: ignore,
  ping: ignore,
  goaway: ignore,
  windowUpdate: ignore,
  priority: ignore,
  unknown: ignore,
  fault: (fault) => {
    throw new TypeError(fault.detail);
  },
};
const reader = new FrameReader(handler, { ...DEFAULT_FRAME_LIMITS, side: "server" });
const writer = new FrameWriter();
writer.settings([]);
for (const part of writer.take()) reader.read(part);
const frames = Buffer.concat(exchanges());

export const HTTP2_CASES: Readonly<Record<string, () => unknown>> = {
  "readRequestFields, 8 fields": () => readRequestFields(request, true, DEFAULT_HEAD_LIMITS),
  "… with a memo, but another path": () => {
    turn += 1;
    return readRequestFields(lists[turn % lists.length] ?? [], true, rules);
  },
  "… with a memo, the list of before": () => readRequestFields(request, true, rules),
  "readResponseFields, 3 fields": () => readResponseFields(answer, false, line),
  "requestFields, 8 fields": () => requestFields(line, fields),
  "FrameWriter, 16 × HEADERS and DATA of 1 KiB": exchanges,
  "FrameReader, the same": () => reader.read(frames),
};

function exchanges(): Buffer[] {
  for (let stream = 1; stream < 32; stream += 2) {
    writer.headers(stream, block, false);
    writer.data(stream, body, true);
  }
  return writer.take();
}

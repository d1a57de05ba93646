import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ACCESS_FIELDS, type AccessEntry } from "./access-entry.ts";
import { accessFormat } from "./access-formats.ts";

const ENTRY: AccessEntry = {
  time: "2026-11-24T04:05:06.123Z",
  status: 200,
  decision: "permit",
  reason: "permitted",
  end: "complete",
  method: "GET",
  host: "api.example.com",
  path: "/billing/17",
  query: "page=*",
  httpVersion: "1.1",
  principal: "corp/payments",
  clientAddress: "192.0.2.7",
  listener: "edge",
  route: "billing",
  service: "billing",
  upstream: "127.0.0.1:9001",
  requestBytes: 0,
  responseBytes: 1834,
  durationMs: 6.438,
  upstreamMs: 5.9,
  decisionId: "01KAT9T5KVH7Q2M4X8Z0R3B6CD",
  requestId: "5f0c9d5e",
  trace: "4bf92f3577b34da6a3ce929d0e0e4736",
};

const common = accessFormat("common");
const json = accessFormat("json");
const logfmt = accessFormat("logfmt");

test("common is the Common Log Format, the principal as user", () => {
  assert.equal(
    common(ENTRY),
    '192.0.2.7 - corp/payments [24/Nov/2026:04:05:06 +0000] "GET /billing/17?page=* HTTP/1.1" 200 1834\n',
  );
  const { principal: _p, query: _q, ...rest } = ENTRY;
  assert.equal(
    common({ ...rest, httpVersion: "2", responseBytes: 0, clientAddress: "2001:db8::1" }),
    '2001:db8::1 - - [24/Nov/2026:04:05:06 +0000] "GET /billing/17 HTTP/2.0" 200 -\n',
  );
});

test("common writes - for what is not known: the end, the request, the user", () => {
  const entry = { time: ENTRY["time"] ?? "", clientAddress: "192.0.2.7" };
  assert.equal(common(entry), '192.0.2.7 - - [24/Nov/2026:04:05:06 +0000] "-" - -\n');
});

test("common lets no value pass for another", () => {
  const line = common({
    ...ENTRY,
    principal: 'corp/a b" [x]\\\n127.0.0.1',
    path: '/a" 200 1\r\n"é',
  });
  assert.equal(
    line,
    '192.0.2.7 - corp/a\\x20b\\"\\x20[x]\\\\\\x0a127.0.0.1 [24/Nov/2026:04:05:06 +0000] ' +
      '"GET /a\\" 200 1\\x0d\\x0a\\"\\xc3\\xa9?page=* HTTP/1.1" 200 1834\n',
  );
});

test("json has the fields in their order, and - for an end that is not known", () => {
  const parsed = JSON.parse(json(ENTRY)) as AccessEntry;
  assert.deepEqual(parsed, ENTRY);
  const order = ACCESS_FIELDS.filter((field) => field in ENTRY);
  assert.deepEqual(Object.keys(parsed), order);
  assert.equal(json({ decisionId: "d" }), '{"status":"-","decisionId":"d"}\n');
});

test("logfmt quotes what is not bare", () => {
  const line = logfmt({
    path: "/a b",
    host: 'a"b',
    route: "r",
    query: "",
    status: 200,
    principal: "corp/é",
  });
  assert.equal(line, 'status=200 host="a\\"b" path="/a b" query="" principal="corp/é" route=r\n');
  assert.equal(logfmt({ path: "/a=b", reason: "x" }), 'status=- reason=x path="/a=b"\n');
});

test("fields chooses, whatever their order", () => {
  const chosen = accessFormat("json", ["route", "status"]);
  assert.equal(chosen(ENTRY), '{"status":200,"route":"billing"}\n');
  assert.equal(accessFormat("logfmt", ["route", "status"])(ENTRY), "status=200 route=billing\n");
});

/** What is one line for everybody who reads lines. */
const ONE_LINE =
  // oxlint-disable-next-line no-control-regex -- these are what must not be there
  /^[^\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]*\n$/;

const COMMON =
  /^[!-~]+ - [!-~]+ \[24\/Nov\/2026:04:05:06 \+0000\] "(?:[^"\\]|\\["\\]|\\x[0-9a-f]{2})*" 200 1834\n$/;

test("whatever a caller writes, a line is one line, and its values are told apart", () => {
  const unit = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.constantFrom("\u061c", "\u200b", "\u202e", "\u2065", "\u2066", "\ufeff", "\u2029"),
  );
  const text = fc.string({ unit, maxLength: 40 });
  fc.assert(
    fc.property(text, text, text, text, (path, host, principal, query) => {
      const entry = { ...ENTRY, path, host, principal, query };
      const texts = Object.fromEntries(
        Object.entries(entry).map(([key, value]) => [key, String(value)]),
      );
      const lines = { common: common(entry), json: json(entry), logfmt: logfmt(entry) };
      for (const line of Object.values(lines)) assert.match(line, ONE_LINE);
      assert.match(lines.common, principal === "" ? /^/ : COMMON);
      assert.deepEqual(JSON.parse(lines.json), entry);
      assert.deepEqual(readLogfmt(lines.logfmt), texts);
    }),
  );
});

/** As a strict reader of logfmt does. */
function readLogfmt(line: string): Record<string, string> {
  const read: Record<string, string> = {};
  const pair = /(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |\n$)/gy;
  let end = 0;
  for (const [whole, key = "", value = ""] of line.matchAll(pair)) {
    read[key] = value.startsWith('"') ? (JSON.parse(value) as string) : value;
    end += whole.length;
  }
  assert.equal(end, line.length, line);
  return read;
}

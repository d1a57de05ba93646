import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import type { ResponseHead } from "../../model/http.ts";
import { type HeadFault, isHeadFault } from "../head-fault.ts";
import { DEFAULT_HEAD_LIMITS } from "./request-head.ts";
import { parseResponseHead, type ResponseContext } from "./response-head.ts";

const GET: ResponseContext = { method: "GET", upgrade: false };
const HEAD: ResponseContext = { method: "HEAD", upgrade: false };

function parse(
  text: string,
  request = GET,
  limits = DEFAULT_HEAD_LIMITS,
): ResponseHead | HeadFault {
  const buffer = Buffer.from(text, "latin1");
  return parseResponseHead(buffer, 0, buffer.length, { limits, request });
}

function accepted(text: string, request = GET): ResponseHead {
  const result = parse(text, request);
  if (isHeadFault(result)) assert.fail(`refused: ${result.detail}`);
  return result;
}

const ok = (lines: string, status = "200 OK"): string => `HTTP/1.1 ${status}\r\n${lines}\r\n`;

test("parseResponseHead() gives status, version and fields in order", () => {
  const head = accepted(
    "HTTP/1.0 404 Not \xc9 Found\r\nServer: a\r\nSet-Cookie: b\r\nset-cookie: c\r\n\r\n",
  );
  assert.equal(head.status, 404);
  assert.equal(head.minorVersion, 0);
  assert.deepEqual(head.fields, ["server", "a", "set-cookie", "b", "set-cookie", "c"]);
  assert.equal(head.keepAlive, false);
});

test("parseResponseHead() takes a status line without a reason phrase", () => {
  assert.equal(accepted("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").status, 200);
  assert.equal(accepted("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").status, 200);
});

const BODIES: readonly [
  why: string,
  head: string,
  request: ResponseContext,
  expected: readonly [kind: string, length: number, keepAlive: boolean],
][] = [
  ["a length", ok("Content-Length: 5\r\n"), GET, ["length", 5, true]],
  ["a length of zero", ok("Content-Length: 0\r\n"), GET, ["length", 0, true]],
  ["chunked", ok("Transfer-Encoding: chunked\r\n"), GET, ["chunked", 0, true]],
  ["neither", ok(""), GET, ["until-close", 0, false]],
  ["neither, with keep-alive", ok("Connection: keep-alive\r\n"), GET, ["until-close", 0, false]],
  [
    "Connection: close",
    ok("Content-Length: 5\r\nConnection: close\r\n"),
    GET,
    ["length", 5, false],
  ],
  ["HEAD with a length", ok("Content-Length: 5\r\n"), HEAD, ["none", 5, true]],
  ["HEAD without a length", ok(""), HEAD, ["none", -1, true]],
  ["HEAD with chunked", ok("Transfer-Encoding: chunked\r\n"), HEAD, ["none", -1, true]],
  ["304 with a length", ok("Content-Length: 5\r\n", "304 Not Modified"), GET, ["none", 5, true]],
  ["304 without a length", ok("", "304 Not Modified"), GET, ["none", -1, true]],
  ["204", ok("", "204 No Content"), GET, ["none", 0, true]],
  ["204 with a length of zero", ok("Content-Length: 0\r\n", "204"), GET, ["none", 0, true]],
  ["100", ok("", "100 Continue"), GET, ["none", 0, true]],
  ["103", ok("Link: </a>\r\n", "103 Early Hints"), GET, ["none", 0, true]],
];

for (const [why, head, request, expected] of BODIES) {
  test(`parseResponseHead() delimits the body of an answer with ${why}`, () => {
    const { bodyKind, contentLength, keepAlive } = accepted(head, request);
    assert.deepEqual([bodyKind, contentLength, keepAlive], expected);
  });
}

test("parseResponseHead() takes 101 only when an upgrade was asked for and named", () => {
  const head = ok("Connection: upgrade\r\nUpgrade: websocket\r\n", "101 Switching Protocols");
  assert.equal(accepted(head, { method: "GET", upgrade: true }).status, 101);
  assert.ok(isHeadFault(parse(head)));
  assert.ok(isHeadFault(parse(ok("", "101 Switching"), { method: "GET", upgrade: true })));
});

const REFUSED: readonly [why: string, head: string][] = [
  ["another protocol", "ICY 200 OK\r\n\r\n"],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
  ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"],
  ["a version in lower case", "http/1.1 200 OK\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
  ["a status beyond 599", "HTTP/1.1 600 OK\r\n\r\n"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n"],
  ["no status", "HTTP/1.1\r\n\r\n"],
  ["a control byte in the reason phrase", "HTTP/1.1 200 O\x01K\r\n\r\n"],
  ["a bare CR in the reason phrase", "HTTP/1.1 200 O\rK\r\n\r\n"],
  ["a bare LF after the status line", "HTTP/1.1 200 OK\nA: b\r\n\r\n"],
  ["a bare LF after a field", ok("A: b\nC: d\r\n")],
  ["a bare CR in a value", ok("A: b\rc\r\n")],
  ["NUL in a value", ok("A: b\0\r\n")],
  ["a folded line", ok("A: b\r\n c\r\n")],
  ["a space before the colon", ok("A : b\r\n")],
  ["a name that is no token", ok("A b: c\r\n")],
  ["an empty name", ok(": c\r\n")],
  ["a line without a colon", ok("abc\r\n")],
  ["both framings", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")],
  ["two Content-Lengths", ok("Content-Length: 5\r\nContent-Length: 5\r\n")],
  ["a signed Content-Length", ok("Content-Length: +5\r\n")],
  ["a list as Content-Length", ok("Content-Length: 5,5\r\n")],
  ["two Transfer-Encodings", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")],
  ["another coding", ok("Transfer-Encoding: gzip, chunked\r\n")],
  ["identity", ok("Transfer-Encoding: identity\r\n")],
  ["chunked on HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["a length on 204", ok("Content-Length: 5\r\n", "204 No Content")],
  ["chunked on 204", ok("Transfer-Encoding: chunked\r\n", "204 No Content")],
  ["a length on 100", ok("Content-Length: 0\r\n", "100 Continue")],
  ["chunked on 103", ok("Transfer-Encoding: chunked\r\n", "103 Early Hints")],
  ["Connection that names Set-Cookie", ok("Connection: set-cookie\r\n")],
];

for (const [why, head] of REFUSED) {
  test(`parseResponseHead() refuses ${why} as upstream-protocol`, () => {
    for (const request of [GET, HEAD]) {
      const result = parse(head, request);
      assert.equal(isHeadFault(result) ? result.reason : "accepted", "upstream-protocol");
    }
  });
}

test("parseResponseHead() refuses what passes a limit", () => {
  const limits = { maxHeadBytes: 60, maxTargetBytes: 0, maxFields: 2 };
  const reason = (head: string): string => {
    const result = parse(head, GET, limits);
    return isHeadFault(result) ? result.reason : "accepted";
  };
  assert.equal(reason(ok("a: b\r\nc: d\r\n")), "accepted");
  assert.equal(reason(ok("a: b\r\nc: d\r\ne: f\r\n")), "upstream-protocol");
  assert.equal(reason(ok(`a: ${"b".repeat(60)}\r\n`)), "upstream-protocol");
});

test("parseResponseHead() neither throws nor lets a control byte through, whatever the bytes", () => {
  const piece = fc.oneof(
    fc.constantFrom("HTTP/1.1 ", "200 ", "\r\n", "Server: a", "Content-Length: 1", ": ", "\n"),
    fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, valid) => {
      const result = parse(`${valid ? "HTTP/1.1 200 OK\r\nX: " : ""}${pieces.join("")}\r\n\r\n`);
      if (isHeadFault(result)) assert.equal(result.reason, "upstream-protocol");
      else assert.match(result.fields.join(""), /^[\t -~\x80-\xff]*$/);
    }),
    { numRuns: 2000 },
  );
});

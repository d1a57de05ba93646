import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import type { RequestHead } from "../../model/http.ts";
import {
  DEFAULT_HEAD_LIMITS,
  findHeadEnd,
  type HeadFault,
  isHeadFault,
  parseRequestHead,
} from "./request-head.ts";

function parse(text: string, limits = DEFAULT_HEAD_LIMITS): RequestHead | HeadFault {
  const buffer = Buffer.from(text, "latin1");
  return parseRequestHead(buffer, 0, buffer.length, limits);
}

function accepted(text: string): RequestHead {
  const result = parse(text);
  if (isHeadFault(result)) assert.fail(`refused: ${result.detail}`);
  return result;
}

function reasonOf(text: string, limits = DEFAULT_HEAD_LIMITS): string {
  const result = parse(text, limits);
  return isHeadFault(result) ? result.reason : "accepted";
}

const get = (lines: string, version = "HTTP/1.1"): string =>
  `GET /a ${version}\r\nHost: a.example\r\n${lines}\r\n`;

test("parseRequestHead() gives method, target, version and lower-case fields in order", () => {
  const head = accepted(
    "GET /a?b=c HTTP/1.1\r\nHost: A.example:8080\r\nX-Odd_Name:  \t v w \t\r\naccept:*/*\r\nEmpty:\r\n\r\n",
  );
  assert.equal(head.method, "GET");
  assert.equal(head.target, "/a?b=c");
  assert.equal(head.minorVersion, 1);
  assert.deepEqual(head.fields, [
    "host",
    "A.example:8080",
    "x-odd_name",
    "v w",
    "accept",
    "*/*",
    "empty",
    "",
  ]);
  assert.equal(head.host, "A.example:8080");
  assert.equal(head.bodyKind, "none");
  assert.equal(head.contentLength, 0);
  assert.equal(head.keepAlive, true);
  assert.equal(head.expectContinue, false);
  assert.equal(head.connectionOptions, undefined);
  assert.equal(head.upgrade, undefined);
});

test("parseRequestHead() reads from start to end of a larger buffer", () => {
  const buffer = Buffer.from(`junk${get("")}rest`, "latin1");
  const end = findHeadEnd(buffer, 4, 4);
  const head = parseRequestHead(buffer, 4, end, DEFAULT_HEAD_LIMITS);
  assert.equal(isHeadFault(head) ? head.detail : head.target, "/a");
});

test("parseRequestHead() finds well-known names in any spelling", () => {
  const head = accepted(
    "POST / HTTP/1.1\r\nhOsT: a\r\ncOnTeNt-LeNgTh: 7\r\nAUTHORIZATION: Bearer x\r\nauthorization: y\r\n\r\n",
  );
  assert.equal(head.host, "a");
  assert.equal(head.bodyKind, "length");
  assert.equal(head.contentLength, 7);
  assert.equal(head.authorization, "Bearer x");
  assert.equal(head.authorizationCount, 2);
});

test("parseRequestHead() takes obs-text in values as latin1 characters", () => {
  assert.equal(accepted(get("X-Name: \xe9\xff\r\n")).fields[3], "\xe9\xff");
});

test("parseRequestHead() reads the body's framing", () => {
  assert.equal(accepted(get("Transfer-Encoding: Chunked\r\n")).bodyKind, "chunked");
  const empty = accepted(get("Content-Length: 0\r\n"));
  assert.equal(empty.bodyKind, "length");
  assert.equal(empty.contentLength, 0);
});

test("parseRequestHead() keeps the connection as version and Connection say", () => {
  assert.equal(accepted(get("Connection: close\r\n")).keepAlive, false);
  assert.equal(accepted(get("Connection: keep-alive, Close\r\n")).keepAlive, false);
  assert.equal(accepted(get("", "HTTP/1.0")).keepAlive, false);
  assert.equal(accepted(get("Connection: Keep-Alive\r\n", "HTTP/1.0")).keepAlive, true);
  const head = accepted(get("Connection: TE , Upgrade,\r\nConnection: x-one\r\n"));
  assert.deepEqual(head.connectionOptions, ["te", "upgrade", "x-one"]);
});

test("parseRequestHead() heeds Upgrade and Expect of HTTP/1.1 only", () => {
  const fields = "Upgrade: websocket\r\nExpect: 100-Continue\r\n";
  const head = accepted(get(fields));
  assert.equal(head.upgrade, "websocket");
  assert.equal(head.expectContinue, true);
  const old = accepted(get(fields, "HTTP/1.0"));
  assert.equal(old.upgrade, undefined);
  assert.equal(old.expectContinue, false);
});

test("parseRequestHead() takes Host from HTTP/1.0 or does without", () => {
  assert.equal(accepted("GET / HTTP/1.0\r\n\r\n").host, undefined);
  assert.equal(reasonOf("GET / HTTP/1.1\r\n\r\n"), "invalid-host");
});

test("parseRequestHead() takes absolute and asterisk targets and any token as method", () => {
  assert.equal(accepted("get http://a/b HTTP/1.1\r\nHost: a\r\n\r\n").target, "http://a/b");
  assert.equal(accepted("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").target, "*");
  assert.equal(accepted("M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n").method, "M-SEARCH");
});

test("parseRequestHead() ignores one CRLF before the request line and refuses two", () => {
  assert.equal(accepted(`\r\n${get("")}`).target, "/a");
  assert.equal(reasonOf(`\r\n\r\n${get("")}`), "malformed-request");
  assert.equal(reasonOf("\r\n\r\n"), "malformed-request");
  assert.equal(reasonOf(`\n${get("")}`), "malformed-request");
});

const REFUSED: readonly [why: string, reason: string, head: string][] = [
  ["a bare LF after the request line", "malformed-request", "GET / HTTP/1.1\nHost: a\r\n\r\n"],
  ["a bare LF after a field", "malformed-request", get("A: b\nC: d\r\n")],
  ["a bare LF inside a value", "malformed-request", get("A: b\nc\r\n")],
  ["a bare LF as the whole line", "malformed-request", get("\nA: b\r\n")],
  ["a bare CR inside a value", "malformed-request", get("A: b\rc\r\n")],
  ["a bare CR at the end of a value", "malformed-request", get("A: b\r\r\n")],
  ["a bare CR in a name", "malformed-request", get("A\r: b\r\n")],
  ["a bare CR in the request line", "malformed-request", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["NUL in a value", "malformed-request", get("A: b\0c\r\n")],
  ["NUL in a name", "malformed-request", get("A\0: b\r\n")],
  ["DEL in a value", "malformed-request", get("A: b\x7f\r\n")],
  ["VT in a value", "malformed-request", get("A: \x0bb\r\n")],
  ["a folded line", "malformed-request", get("A: b\r\n c\r\n")],
  ["a folded line with a colon", "malformed-request", get("A: b\r\n\tc: d\r\n")],
  ["a first line with white space", "malformed-request", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"],
  ["a space before the colon", "malformed-request", get("A : b\r\n")],
  ["a tab before the colon", "malformed-request", get("A\t: b\r\n")],
  ["an empty name", "malformed-request", get(": b\r\n")],
  ["a line without a colon", "malformed-request", get("abc\r\n")],
  ["a name that is no token", "malformed-request", get("A(b): c\r\n")],
  ["a name beyond ASCII", "malformed-request", get("\xc0: c\r\n")],
  ["an empty line in the head", "malformed-request", get("\r\nA: b\r\n")],
  ["an empty Host", "invalid-host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"],
  ["two Hosts", "invalid-host", get("Host: a.example\r\n")],
  ["two Hosts on HTTP/1.0", "invalid-host", get("Host: a.example\r\n", "HTTP/1.0")],
  ["a list as Host", "invalid-host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"],
  ["user info in Host", "invalid-host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"],
  ["a slash in Host", "invalid-host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
  ["an empty Content-Length", "malformed-request", get("Content-Length:\r\n")],
  ["a signed Content-Length", "malformed-request", get("Content-Length: +1\r\n")],
  ["a negative Content-Length", "malformed-request", get("Content-Length: -1\r\n")],
  ["a hex Content-Length", "malformed-request", get("Content-Length: 0x1\r\n")],
  ["a Content-Length with an exponent", "malformed-request", get("Content-Length: 1e3\r\n")],
  ["a Content-Length with a space", "malformed-request", get("Content-Length: 1 2\r\n")],
  [
    "a Content-Length of 16 digits",
    "malformed-request",
    get(`Content-Length: ${"1".repeat(16)}\r\n`),
  ],
  ["a list as Content-Length", "malformed-request", get("Content-Length: 5, 5\r\n")],
  ["two Content-Lengths", "malformed-request", get("Content-Length: 5\r\nContent-Length: 5\r\n")],
  [
    "both framings",
    "malformed-request",
    get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
  ],
  [
    "both framings, the other way round",
    "malformed-request",
    get("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
  ],
  [
    "Transfer-Encoding on HTTP/1.0",
    "malformed-request",
    get("Transfer-Encoding: chunked\r\n", "HTTP/1.0"),
  ],
  ["chunked twice", "malformed-request", get("Transfer-Encoding: chunked, chunked\r\n")],
  [
    "two Transfer-Encodings",
    "malformed-request",
    get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
  ],
  ["a coding after chunked", "malformed-request", get("Transfer-Encoding: chunked, gzip\r\n")],
  ["an unknown coding alone", "malformed-request", get("Transfer-Encoding: identity\r\n")],
  ["an empty Transfer-Encoding", "malformed-request", get("Transfer-Encoding:\r\n")],
  ["chunked with a parameter", "malformed-request", get("Transfer-Encoding: chunked;a=b\r\n")],
  ["a tab before chunked", "malformed-request", get("Transfer-Encoding:\tchunked\r\n")],
  ["a tab after chunked", "malformed-request", get("Transfer-Encoding: chunked\t\r\n")],
  ["chunked in quotes", "malformed-request", get('Transfer-Encoding: "chunked"\r\n')],
  ["an empty element before chunked", "malformed-request", get("Transfer-Encoding: ,chunked\r\n")],
  ["gzip, chunked", "not-implemented", get("Transfer-Encoding: gzip, chunked\r\n")],
  ["CONNECT", "not-implemented", "CONNECT http://a HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["CONNECT to an authority", "not-implemented", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["TRACE", "not-implemented", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["another expectation", "expectation-failed", get("Expect: 200-ok\r\n")],
  [
    "two expectations",
    "expectation-failed",
    get("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
  ],
  ["two Upgrades", "malformed-request", get("Upgrade: a\r\nUpgrade: b\r\n")],
  ["HTTP/2.0", "version-not-supported", get("", "HTTP/2.0")],
  ["HTTP/1.2", "version-not-supported", get("", "HTTP/1.2")],
  ["the HTTP/2 preface", "version-not-supported", "PRI * HTTP/2.0\r\n\r\n"],
  ["HTTP/0.9", "malformed-request", "GET /\r\n\r\n"],
  ["a version in lower case", "malformed-request", get("", "http/1.1")],
  ["a version with a leading zero", "malformed-request", get("", "HTTP/01.1")],
  ["another protocol", "malformed-request", get("", "HTTPS/1.1")],
  ["two spaces before the target", "malformed-request", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["two spaces after the target", "malformed-request", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a space after the version", "malformed-request", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"],
  ["a space before the method", "malformed-request", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a tab in the request line", "malformed-request", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a tab in the target", "malformed-request", "GET /\ta HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a target beyond ASCII", "malformed-request", "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a relative target", "malformed-request", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an authority as target", "malformed-request", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["another scheme", "malformed-request", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  [
    "an absolute target without authority",
    "malformed-request",
    "GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  ["user info in the target", "malformed-request", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  [
    "a fragment in the authority",
    "malformed-request",
    "GET http://a#b/ HTTP/1.1\r\nHost: a\r\n\r\n",
  ],
  ["* with GET", "malformed-request", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a method that is no token", "malformed-request", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an empty head", "malformed-request", "\r\n"],
  ["Connection that is no token", "malformed-request", get("Connection: a b\r\n")],
  [
    "Connection that names Authorization",
    "malformed-request",
    get("Connection: Authorization\r\n"),
  ],
  ["Connection that names Host", "malformed-request", get("Connection: close, host\r\n")],
  [
    "Connection that names Content-Length",
    "malformed-request",
    get("Connection: content-length\r\n"),
  ],
  [
    "Connection that names X-Forwarded-For",
    "malformed-request",
    get("Connection: x-forwarded-for\r\n"),
  ],
  [
    "Connection that names 17 fields",
    "malformed-request",
    get(`Connection: ${"a,".repeat(17)}\r\n`),
  ],
];

for (const [why, reason, head] of REFUSED) {
  test(`parseRequestHead() refuses ${why} as ${reason}`, () => {
    assert.equal(reasonOf(head), reason);
  });
}

test("parseRequestHead() refuses what passes a limit, with the reason of that limit", () => {
  const limits = { maxHeadBytes: 200, maxTargetBytes: 10, maxFields: 2 };
  assert.equal(reasonOf(get("A: b\r\n"), limits), "accepted");
  assert.equal(reasonOf(get("A: b\r\nC: d\r\n"), limits), "head-too-large");
  assert.equal(reasonOf(get(`A: ${"b".repeat(200)}\r\n`), limits), "head-too-large");
  assert.equal(reasonOf("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", limits), "accepted");
  assert.equal(reasonOf("GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n", limits), "uri-too-long");
});

test("parseRequestHead() faults hold no byte of the head", () => {
  for (const [, , head] of REFUSED) {
    const result = parse(head.replaceAll("a.example", "canary.example"));
    assert.ok(isHeadFault(result));
    assert.ok(!result.detail.includes("canary"));
  }
});

test("findHeadEnd() finds the first empty line, also when the head arrives byte by byte", () => {
  const text = get("A: b\r\n");
  const buffer = Buffer.from(`${text}GET / HTTP/1.1\r\n\r\n`, "latin1");
  assert.equal(findHeadEnd(buffer, 0, 0), text.length);
  for (let length = 1; length < text.length; length++) {
    assert.equal(findHeadEnd(buffer.subarray(0, length), 0, length - 1), -1);
  }
  assert.equal(findHeadEnd(buffer.subarray(0, text.length), 0, text.length - 1), text.length);
  assert.equal(findHeadEnd(Buffer.from("\r\n\r\nGET", "latin1"), 2, 2), -1);
});

test("findHeadEnd() hands heads that end in bare LFs to the parser, which refuses them", () => {
  for (const text of [
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET /\n\nx",
  ]) {
    const buffer = Buffer.from(text, "latin1");
    const end = findHeadEnd(buffer, 0, 0);
    assert.ok(end > 0);
    const result = parseRequestHead(buffer, 0, end, DEFAULT_HEAD_LIMITS);
    assert.equal(isHeadFault(result) && result.reason, "malformed-request");
  }
});

test("parseRequestHead() neither throws nor lets a control byte through, whatever the bytes", () => {
  const piece = fc.oneof(
    fc.constantFrom("GET ", "/ ", "HTTP/1.1", "\r\n", "Host: a", "Content-Length: 1", ": ", "\n"),
    fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, valid) => {
      const start = valid ? "GET / HTTP/1.1\r\nHost: a\r\nX: " : "";
      const result = parse(`${start}${pieces.join("")}\r\n\r\n`);
      if (isHeadFault(result)) return;
      assert.match(result.fields.join(""), /^[\t -~\x80-\xff]*$/);
      assert.match(`${result.method}${result.target}`, /^[!-~]+$/);
    }),
    { numRuns: 2000 },
  );
});

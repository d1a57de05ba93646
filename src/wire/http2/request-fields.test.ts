import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import type { Fields } from "../../model/http.ts";
import { findHeadEnd, parseRequestHead } from "../http1/request-head.ts";
import { writeRequestHead } from "../http1/write-head.ts";
import { askedUpgrade, handshakeFault } from "../websocket.ts";
import {
  DEFAULT_HEAD_LIMITS,
  type Http2RequestHead,
  isHeadFault,
  readRequestFields,
  type RequestRules,
} from "./request-fields.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const RULES: RequestRules = { ...DEFAULT_HEAD_LIMITS, newWebsocketKey: () => KEY };

const GET = [":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"];
const CONNECT = [
  [":method", "CONNECT", ":protocol", "websocket", ":scheme", "https"],
  [":path", "/chat?x=1", ":authority", "a.example", "sec-websocket-version", "13"],
].flat();

/** GET with other pseudo-fields; undefined takes one out. */
function line(change: Readonly<Record<string, string | undefined>>): string[] {
  const list: string[] = [];
  for (let index = 0; index < GET.length; index += 2) {
    const name = GET[index] as string;
    const value = name in change ? change[name] : GET[index + 1];
    if (value !== undefined) list.push(name, value);
  }
  return list;
}

function accepted(fields: Fields, endStream = true, rules = RULES): Http2RequestHead {
  const result = readRequestFields(fields, endStream, rules);
  if (isHeadFault(result)) assert.fail(`refused: ${result.detail}`);
  return result;
}

function reasonOf(fields: Fields, endStream = true, rules = RULES): string {
  const result = readRequestFields(fields, endStream, rules);
  return isHeadFault(result) ? result.reason : "accepted";
}

test("readRequestFields() gives the head that the rest of the house knows", () => {
  const read = accepted(
    [
      [":method", "POST", ":path", "/a?b=c", ":scheme", "https", ":authority", "A.example:8443"],
      ["accept", "*/*", "x-odd_name", "v w", "empty", "", "te", "trailers"],
      ["content-length", "12", "authorization", "Bearer x", "authorization", "y"],
      ["expect", "100-Continue", "priority", "u=1, i"],
    ].flat(),
    false,
  );
  assert.equal(read.scheme, "https");
  assert.equal(read.connect, false);
  assert.deepEqual(read.head, {
    method: "POST",
    target: "/a?b=c",
    version: "2",
    minorVersion: 1,
    fields: [
      ["host", "A.example:8443", "accept", "*/*", "x-odd_name", "v w", "empty", ""],
      ["te", "trailers", "content-length", "12", "authorization", "Bearer x"],
      ["authorization", "y", "expect", "100-Continue", "priority", "u=1, i"],
    ].flat(),
    host: "A.example:8443",
    authorization: "Bearer x",
    authorizationCount: 2,
    bodyKind: "length",
    contentLength: 12,
    keepAlive: true,
    expectContinue: true,
    connectionOptions: undefined,
    upgrade: undefined,
  });
});

test("readRequestFields() reads how the body is framed", () => {
  const cases: [fields: string[], endStream: boolean, kind: string, length: number][] = [
    [[], true, "none", 0],
    [[], false, "chunked", 0],
    [["content-length", "5"], false, "length", 5],
    [["content-length", "0"], false, "length", 0],
    [["content-length", "0"], true, "length", 0],
  ];
  for (const [fields, endStream, kind, length] of cases) {
    const { head } = accepted([...GET, ...fields], endStream);
    assert.deepEqual([head.bodyKind, head.contentLength], [kind, length]);
  }
});

test("readRequestFields() takes Host for the authority where there is none", () => {
  const { head } = accepted([
    ...line({ ":authority": undefined }),
    "accept",
    "a",
    "host",
    "b.example",
  ]);
  assert.equal(head.host, "b.example");
  assert.deepEqual(head.fields, ["host", "b.example", "accept", "a"]);
});

test("readRequestFields() takes a Host that says what :authority says", () => {
  const { head } = accepted([...GET, "host", "A.Example"]);
  assert.deepEqual(head.fields, ["host", "a.example"]);
});

test("readRequestFields() joins the crumbs of a cookie where the first one stood", () => {
  const cases: [crumbs: string[], cookie: string][] = [
    [["a=1"], "a=1"],
    [["a=1", "b=2", "c=3"], "a=1; b=2; c=3"],
    [["a=1", ""], "a=1"],
    [["", "a=1", "", "b=2"], "a=1; b=2"],
    [["", ""], ""],
  ];
  for (const [crumbs, cookie] of cases) {
    const fields = crumbs.flatMap((crumb) => ["cookie", crumb, "accept", "a"]);
    const others = crumbs.flatMap(() => ["accept", "a"]);
    const { head } = accepted([...GET, ...fields]);
    assert.deepEqual(head.fields, ["host", "a.example", "cookie", cookie, ...others]);
  }
});

test("readRequestFields() takes * for OPTIONS", () => {
  assert.equal(accepted(line({ ":method": "OPTIONS", ":path": "*" })).head.target, "*");
});

test("readRequestFields() makes an opening handshake of an extended CONNECT", () => {
  const { head, connect, scheme } = accepted([...CONNECT, "sec-websocket-key", "theirs"], false);
  assert.equal(connect, true);
  assert.equal(scheme, "https");
  assert.equal(head.method, "GET");
  assert.equal(head.target, "/chat?x=1");
  assert.equal(head.bodyKind, "none");
  assert.deepEqual(
    head.fields,
    [["host", "a.example", "sec-websocket-version", "13", "sec-websocket-key", KEY]].flat(),
  );
  assert.equal(askedUpgrade(head), "websocket");
  assert.equal(handshakeFault(head), undefined);
});

const MALFORMED: [title: string, fields: readonly string[], endStream?: boolean][] = [
  // RFC 9113 section 8.3.
  ["no pseudo-field", ["accept", "a"]],
  ["nothing at all", []],
  ["no :method", line({ ":method": undefined })],
  ["no :scheme", line({ ":scheme": undefined })],
  ["no :path", line({ ":path": undefined })],
  ...[":method", ":scheme", ":authority", ":path"].map((name): [string, string[]] => [
    `two ${name}`,
    [...GET, name, line({})[GET.indexOf(name) + 1] as string],
  ]),
  ["two :protocol", [...CONNECT.slice(0, 2), ":protocol", "websocket", ...CONNECT.slice(2)]],
  ["an unknown pseudo-field", [...GET, ":other", "a"]],
  ["a pseudo-field of answers", [...GET, ":status", "200"]],
  ["a pseudo-field in upper case", [...GET, ":Path", "/"]],
  ["a pseudo-field without a name", [...GET, ":", "a"]],
  ["a pseudo-field behind a field", [...GET.slice(0, 6), "accept", "a", ":path", "/"]],
  ["an unknown pseudo-field behind a field", [...GET, "accept", "a", ":other", "a"]],
  // Section 8.3.1.
  ["an empty method", line({ ":method": "" })],
  ["a method with a space", line({ ":method": "GET /" })],
  ["a method with a line end", line({ ":method": "GET\r\n" })],
  ["a scheme in upper case", line({ ":scheme": "HTTPS" })],
  ["another scheme", line({ ":scheme": "ftp" })],
  ["an empty scheme", line({ ":scheme": "" })],
  ["an empty path", line({ ":path": "" })],
  ["a path without a slash", line({ ":path": "a" })],
  ["an absolute path", line({ ":path": "https://a.example/" })],
  ["an asterisk on GET", line({ ":path": "*" })],
  ["a path with a space", line({ ":path": "/ HTTP/1.1" })],
  ["a path with a line end", line({ ":path": "/\r\nx: y" })],
  ["a path with a NUL", line({ ":path": "/\0" })],
  ["a path beyond ASCII", line({ ":path": "/\xe9" })],
  // Section 8.5, RFC 8441 section 4.
  ["CONNECT with :path", line({ ":method": "CONNECT", ":scheme": undefined })],
  ["CONNECT with :scheme", line({ ":method": "CONNECT", ":path": undefined })],
  ["CONNECT without :authority", [":method", "CONNECT"]],
  [":protocol on GET", [...GET, ":protocol", "websocket"]],
  [
    "an extended CONNECT without :path",
    CONNECT.filter((_, index) => index !== 6 && index !== 7),
    false,
  ],
  [
    "an extended CONNECT without :scheme",
    CONNECT.filter((_, index) => index !== 4 && index !== 5),
    false,
  ],
  ["an extended CONNECT to *", CONNECT.map((text) => (text === "/chat?x=1" ? "*" : text)), false],
  ["an extended CONNECT that ends its stream", CONNECT, true],
  ["an extended CONNECT with a length", [...CONNECT, "content-length", "0"], false],
  // Section 8.2.1.
  ["an empty name", [...GET, "", "a"]],
  ["a name in upper case", [...GET, "Accept", "a"]],
  ["a name with one capital that is long", [...GET, `${"a".repeat(60)}Z`, "a"]],
  ...[" ", ":", "\r", "\n", "\0", "\t", "\x7f", "\xe9", "(", ","].flatMap(
    (sign): [string, string[]][] => [
      [`${JSON.stringify(sign)} in a name`, [...GET, `a${sign}b`, "a"]],
      [`${JSON.stringify(sign)} behind a name`, [...GET, `a${sign}`, "a"]],
      [`${JSON.stringify(sign)} before a name`, [...GET, `${sign}a`, "a"]],
    ],
  ),
  ...["\r", "\n", "\r\n", "\0", "\x01", "\x1f", "\x7f", "\u010a"].flatMap(
    (sign): [string, string[]][] => [
      [`${JSON.stringify(sign)} in a value`, [...GET, "x", `a${sign}b`]],
      [`${JSON.stringify(sign)} in a value that is read`, [...GET, "cookie", `a${sign}b`]],
    ],
  ),
  ...[" a", "a ", "\ta", "a\t", " ", "\t"].map((value): [string, string[]] => [
    `the value ${JSON.stringify(value)}`,
    [...GET, "x", value],
  ]),
  // Section 8.2.2.
  ...[
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
  ].map((name): [string, string[]] => [name, [...GET, name, "a"]]),
  ["transfer-encoding: chunked", [...GET, "transfer-encoding", "chunked"], false],
  ["te: gzip", [...GET, "te", "gzip"]],
  ["te: trailers, gzip", [...GET, "te", "trailers, gzip"]],
  ["an empty te", [...GET, "te", ""]],
  ["a second te with something else", [...GET, "te", "trailers", "te", "chunked"]],
  // Section 8.1.1.
  ["a length that END_STREAM contradicts", [...GET, "content-length", "1"], true],
  ["two lengths", [...GET, "content-length", "1", "content-length", "1"], false],
  ["a length that is none", [...GET, "content-length", "+1"], false],
  ["a length that is a list", [...GET, "content-length", "1, 1"], false],
];

for (const [title, fields, endStream] of MALFORMED) {
  test(`readRequestFields() refuses ${title} as malformed`, () => {
    assert.equal(reasonOf(fields, endStream), "malformed-request");
  });
}

const OTHERWISE: [
  title: string,
  fields: readonly string[],
  reason: string,
  rules?: RequestRules,
][] = [
  ["no authority and no Host", line({ ":authority": undefined }), "invalid-host"],
  ["an empty authority", line({ ":authority": "" }), "invalid-host"],
  ["user info in the authority", line({ ":authority": "u:p@a.example" }), "invalid-host"],
  ["user info without a password", line({ ":authority": "u@a.example" }), "invalid-host"],
  ["a path in the authority", line({ ":authority": "a.example/b" }), "invalid-host"],
  ["a line end in the authority", line({ ":authority": "a.example\r\nx: y" }), "invalid-host"],
  ["a Host that disagrees", [...GET, "host", "b.example"], "invalid-host"],
  ["a Host with another port", [...GET, "host", "a.example:443"], "invalid-host"],
  ["a Host that is none", [...GET, "host", "a@a.example"], "invalid-host"],
  ["an empty Host", [...GET, "host", ""], "invalid-host"],
  ["two Hosts that agree", [...GET, "host", "a.example", "host", "a.example"], "invalid-host"],
  [
    "two Hosts without an authority",
    [...line({ ":authority": undefined }), "host", "a.example", "host", "a.example"],
    "invalid-host",
  ],
  ["TRACE", line({ ":method": "TRACE" }), "not-implemented"],
  ["CONNECT", [":method", "CONNECT", ":authority", "a.example:443"], "not-implemented"],
  [
    "CONNECT to another protocol",
    CONNECT.map((text) => (text === "websocket" ? "connect-udp" : text)),
    "not-implemented",
  ],
  ["extended CONNECT where it is not served", CONNECT, "not-implemented", DEFAULT_HEAD_LIMITS],
  ["an expectation", [...GET, "expect", "200-ok"], "expectation-failed"],
  [
    "two expectations",
    [...GET, "expect", "100-continue", "expect", "100-continue"],
    "expectation-failed",
  ],
  [
    "a long target",
    line({ ":path": "/12345678" }),
    "uri-too-long",
    { ...RULES, maxTargetBytes: 8 },
  ],
  ["many fields", [...GET, "a", "b", "c", "d"], "head-too-large", { ...RULES, maxFields: 1 }],
];

for (const [title, fields, reason, rules] of OTHERWISE) {
  test(`readRequestFields() refuses ${title} as ${reason}`, () => {
    const connect = fields.includes(":protocol");
    assert.equal(reasonOf(fields, !connect, rules), reason);
  });
}

test("readRequestFields() counts a head's bytes as HTTP/1.1 writes them", () => {
  const fields = [...GET, "accept", "*/*", "x", ""];
  const { head } = accepted(fields);
  const framing = { bodyKind: "none", contentLength: 0, connection: undefined } as const;
  const maxHeadBytes = writeRequestHead(head, head.fields, framing).length;
  assert.equal(reasonOf(fields, true, { ...RULES, maxHeadBytes }), "accepted");
  assert.equal(
    reasonOf(fields, true, { ...RULES, maxHeadBytes: maxHeadBytes - 1 }),
    "head-too-large",
  );
  assert.equal(
    reasonOf([...GET, "a", "b", "c", "d"], true, { ...RULES, maxFields: 2 }),
    "accepted",
  );
  assert.equal(
    reasonOf(line({ ":path": "/1234567" }), true, { ...RULES, maxTargetBytes: 8 }),
    "accepted",
  );
});

test("readRequestFields() tells malformed names and values whatever names came before", () => {
  for (let index = 0; index < 3000; index++) accepted([...GET, `x-${index}`, "a"]);
  assert.equal(reasonOf([...GET, "X-1", "a"]), "malformed-request");
  assert.equal(reasonOf([...GET, "upgrade", "a"]), "malformed-request");
  assert.equal(accepted([...GET, "authorization", "a"]).head.authorizationCount, 1);
});

const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: fc.constantFrom("a", "=", ";", " ", "\t", "\xe9", "\xa0"), maxLength: 8 }),
  fc.string({ unit: fc.constantFrom("a", "\r", "\n", "\0", ":"), maxLength: 4 }),
);
const regular = fc.oneof(
  fc.tuple(fc.constantFrom("accept", "x-a", "x_b", "priority", "traceparent", "cookie"), text),
  fc.tuple(fc.constant("cookie"), fc.constantFrom("a=1", "b=2", "")),
  fc.tuple(fc.constantFrom("host"), fc.constantFrom("a.example", "A.EXAMPLE", "b")),
  fc.tuple(fc.constant("te"), fc.constantFrom("trailers", "gzip")),
  fc.tuple(fc.constant("content-length"), fc.constantFrom("0", "7", "x", "")),
  fc.tuple(fc.constant("expect"), fc.constantFrom("100-continue", "x")),
  fc.tuple(fc.constantFrom("connection", "transfer-encoding", "upgrade", "X-Upper", ":path"), text),
  fc.tuple(text, text),
);
const path = fc.oneof(
  fc.webPath().map((rest) => `/${rest}`),
  fc.webQueryParameters().map((query) => `/?${query}`),
  fc.constantFrom("*", "", "/a b", "/\r\n", "//", "/#x", "a"),
);
const block = fc
  .record({
    method: fc.constantFrom("GET", "POST", "OPTIONS", "HEAD", "PROPFIND", "get", "CONNECT", "G T"),
    scheme: fc.constantFrom("http", "https"),
    authority: fc.constantFrom("a.example", "a.example:81", "[::1]", "u@a", undefined),
    path,
    fields: fc.array(regular, { maxLength: 6 }),
  })
  .map(({ method, scheme, authority, path: target, fields }) => [
    ":method",
    method,
    ":scheme",
    scheme,
    ":path",
    target,
    ...(authority === undefined ? [] : [":authority", authority]),
    ...fields.flat(),
  ]);

test("readRequestFields() accepts nothing that HTTP/1.1 would read as another head", () => {
  let seen = 0;
  fc.assert(
    fc.property(block, fc.boolean(), (fields, endStream) => {
      const read = readRequestFields(fields, endStream, DEFAULT_HEAD_LIMITS);
      if (isHeadFault(read)) return;
      seen += 1;
      const { head } = read;
      const { bodyKind, contentLength } = head;
      // Framing is written from the parsed state and not among the fields.
      const others = withoutLength(head.fields);
      const framing = { bodyKind, contentLength, connection: undefined };
      const bytes = Buffer.from(writeRequestHead(head, others, framing), "latin1");
      assert.equal(findHeadEnd(bytes, 0, 0), bytes.length);
      const parsed = parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS);
      if (isHeadFault(parsed)) assert.fail(parsed.detail);
      const length = bodyKind === "length" ? ["content-length", String(contentLength)] : [];
      const coding = bodyKind === "chunked" ? ["transfer-encoding", "chunked"] : [];
      assert.deepEqual(parsed, {
        ...head,
        version: "1.1",
        fields: [...others, ...length, ...coding],
      });
    }),
    { numRuns: 3000 },
  );
  assert.ok(seen > 100, `${seen} were accepted`);
});

function withoutLength(fields: Fields): string[] {
  return fields.filter((_, index) => fields[index - (index % 2)] !== "content-length");
}

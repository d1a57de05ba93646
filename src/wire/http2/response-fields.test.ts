import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import type { Fields, ResponseHead } from "../../model/http.ts";
import { isHeadFault } from "../head-fault.ts";
import { DEFAULT_HEAD_LIMITS } from "../head-limits.ts";
import { parseResponseHead } from "../http1/response-head.ts";
import { writeResponseHead } from "../http1/write-head.ts";
import { readResponseFields } from "./response-fields.ts";

function accepted(fields: Fields, endStream = false, method = "GET"): ResponseHead {
  const result = readResponseFields(fields, endStream, { method });
  if (isHeadFault(result)) assert.fail(`refused: ${result.detail}`);
  return result;
}

test("readResponseFields() gives the head that the rest of the house knows", () => {
  const fields = ["content-type", "a/b", "set-cookie", "a", "set-cookie", "b", "host", "x"];
  assert.deepEqual(accepted([":status", "200", ...fields]), {
    status: 200,
    minorVersion: 1,
    fields,
    bodyKind: "chunked",
    contentLength: 0,
    keepAlive: true,
    connectionOptions: undefined,
  });
});

test("readResponseFields() reads how the body is framed", () => {
  type Case = [
    status: string,
    length: string | undefined,
    endStream: boolean,
    method: string,
    expected: [kind: string, length: number],
  ];
  const cases: Case[] = [
    ["200", undefined, false, "GET", ["chunked", 0]],
    ["200", undefined, true, "GET", ["none", 0]],
    ["200", "5", false, "GET", ["length", 5]],
    ["200", "0", true, "GET", ["length", 0]],
    ["200", "0", false, "GET", ["length", 0]],
    ["200", "5", true, "HEAD", ["none", 5]],
    ["200", "5", false, "HEAD", ["none", 5]],
    ["200", undefined, true, "HEAD", ["none", -1]],
    ["304", "5", true, "GET", ["none", 5]],
    ["304", undefined, true, "GET", ["none", -1]],
    ["204", undefined, true, "GET", ["none", 0]],
    ["204", "0", true, "GET", ["none", 0]],
    ["103", undefined, false, "GET", ["none", 0]],
    ["200", undefined, false, "CONNECT", ["none", 0]],
    ["404", "5", false, "CONNECT", ["length", 5]],
  ];
  for (const [status, length, endStream, method, expected] of cases) {
    const fields = length === undefined ? [] : ["content-length", length];
    const head = accepted([":status", status, ...fields], endStream, method);
    assert.deepEqual(
      [head.bodyKind, head.contentLength],
      expected,
      `${status} ${length} ${method}`,
    );
  }
});

const OK = [":status", "200"];

const REFUSED: [title: string, fields: readonly string[], endStream?: boolean, method?: string][] =
  [
    ["nothing at all", []],
    ["no :status", ["content-type", "a/b"]],
    ["two :status", [...OK, ...OK]],
    ["a pseudo-field of requests", [...OK, ":path", "/"]],
    [":status behind a field", ["content-type", "a/b", ...OK]],
    ...["", "20", "2000", "099", "600", "2xx", " 200", "200 OK", "+20", "200\r\n"].map(
      (status): [string, string[]] => [`the status ${JSON.stringify(status)}`, [":status", status]],
    ),
    ["101", [":status", "101"]],
    ["101 with an upgrade", [":status", "101", "upgrade", "websocket"]],
    ["an interim answer that ends the stream", [":status", "103"], true],
    ["a length in an interim answer", [":status", "100", "content-length", "0"]],
    ["a length in a 204", [":status", "204", "content-length", "1"]],
    ["a length in a taken CONNECT", [...OK, "content-length", "0"], false, "CONNECT"],
    ["a length that END_STREAM contradicts", [...OK, "content-length", "1"], true],
    ["two lengths", [...OK, "content-length", "1", "content-length", "1"]],
    ["a length that is none", [...OK, "content-length", "1x"]],
    ["an empty name", [...OK, "", "a"]],
    ["a name in upper case", [...OK, "Server", "a"]],
    ["a name with a colon", [...OK, "a:b", "a"]],
    ["a line end in a value", [...OK, "a", "b\r\nc: d"]],
    ["a NUL in a value", [...OK, "a", "b\0"]],
    ["white space around a value", [...OK, "a", " b"]],
    ["te: trailers", [...OK, "te", "trailers"]],
    ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map(
      (name): [string, string[]] => [name, [...OK, name, "a"]],
    ),
  ];

for (const [title, fields, endStream, method] of REFUSED) {
  test(`readResponseFields() refuses ${title}`, () => {
    const result = readResponseFields(fields, endStream ?? false, { method: method ?? "GET" });
    assert.equal(isHeadFault(result) ? result.reason : "accepted", "upstream-protocol");
  });
}

const value = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: fc.constantFrom("a", " ", "\t", "\xe9", "\r", "\n", "\0"), maxLength: 5 }),
);
const field = fc.oneof(
  fc.tuple(fc.constantFrom("server", "set-cookie", "x_a", "etag"), value),
  fc.tuple(fc.constant("content-length"), fc.constantFrom("0", "7", "x")),
  fc.tuple(fc.constantFrom("connection", "upgrade", "te", "X-Upper", ":status"), value),
  fc.tuple(value, value),
);

test("readResponseFields() accepts nothing that HTTP/1.1 would read as another head", () => {
  let seen = 0;
  fc.assert(
    fc.property(
      fc.constantFrom("200", "204", "304", "404", "103", "500", "20"),
      fc.array(field, { maxLength: 4 }),
      fc.record({ endStream: fc.boolean(), method: fc.constantFrom("GET", "HEAD") }),
      (status, pairs, { endStream, method }) => {
        const read = readResponseFields([":status", status, ...pairs.flat()], endStream, {
          method,
        });
        if (isHeadFault(read)) return;
        seen += 1;
        const fields = read.fields.filter(
          (_, index) => read.fields[index - (index % 2)] !== "content-length",
        );
        const { bodyKind } = read;
        const framing = { bodyKind, contentLength: read.contentLength, connection: undefined };
        const bytes = Buffer.from(writeResponseHead(read.status, fields, framing), "latin1");
        const parsed = parseResponseHead(bytes, 0, bytes.length, {
          limits: DEFAULT_HEAD_LIMITS,
          request: { method, upgrade: false },
        });
        if (isHeadFault(parsed)) assert.fail(parsed.detail);
        assert.equal(parsed.status, read.status);
        assert.deepEqual(parsed.fields.slice(0, fields.length), fields);
        // What ends at once in HTTP/2 has no framing in HTTP/1.1 unless it is written as a length.
        if (bodyKind !== "none") assert.equal(parsed.bodyKind, bodyKind);
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(seen > 100, `${seen} were accepted`);
});

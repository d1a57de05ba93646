import { strict as assert } from "node:assert";
import test from "node:test";
import type { Fields } from "../../model/http.ts";
import { isTrailerFault, readTrailerFields } from "./trailer-fields.ts";

function reasonOf(fields: Fields): string {
  const result = readTrailerFields(fields);
  return isTrailerFault(result) ? result.reason : "accepted";
}

test("readTrailerFields() gives what may be passed on, in order", () => {
  const fields = ["grpc-status", "0", "cookie", "a=1", "grpc-message", "", "x-sum", "1"];
  assert.deepEqual(
    readTrailerFields(fields),
    [["grpc-status", "0", "grpc-message", "", "x-sum", "1"]].flat(),
  );
  assert.deepEqual(readTrailerFields([]), []);
});

test("readTrailerFields() drops what was needed before the body", () => {
  const names = [
    "authorization",
    "dpop",
    "content-type",
    "x-forwarded-for",
    "x_forwarded_for",
    "expect",
  ];
  assert.deepEqual(readTrailerFields(names.flatMap((name) => [name, "a"])), []);
});

const REFUSED: [title: string, fields: readonly string[]][] = [
  ...[":status", ":path", ":method", ":other"].map((name): [string, string[]] => [
    `${name} in trailers`,
    ["a", "b", name, "200"],
  ]),
  ["a pseudo-field that comes first", [":status", "200"]],
  ...[
    "content-length",
    "host",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
  ].map((name): [string, string[]] => [name, [name, "1"]]),
  ["te: trailers", ["te", "trailers"]],
  ["a name in upper case", ["Grpc-Status", "0"]],
  ["an empty name", ["", "0"]],
  ["a name with a colon", ["a:b", "0"]],
  ["a line end in a value", ["grpc-message", "a\r\nb: c"]],
  ["white space around a value", ["grpc-message", "a "]],
  ["a dropped field with a bad value", ["cookie", "a\n"]],
];

for (const [title, fields] of REFUSED) {
  test(`readTrailerFields() refuses ${title}`, () => {
    assert.equal(reasonOf(fields), "malformed-request");
  });
}

test("readTrailerFields() is bound in fields and bytes as HTTP/1.1's trailers are", () => {
  const many = (count: number) => Array.from({ length: count }, () => ["a", "b"]).flat();
  assert.equal(reasonOf(many(32)), "accepted");
  assert.equal(reasonOf(many(33)), "head-too-large");
  const large = (bytes: number) => ["a", "b".repeat(bytes - "a: \r\n".length)];
  assert.equal(reasonOf(large(8 * 1024)), "accepted");
  assert.equal(reasonOf(large(8 * 1024 + 1)), "head-too-large");
});

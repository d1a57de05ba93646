import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { isHeadFault } from "../head-fault.ts";
import { DEFAULT_HEAD_LIMITS, readRequestFields } from "./request-fields.ts";
import { readResponseFields } from "./response-fields.ts";
import { readTrailerFields } from "./trailer-fields.ts";
import { requestFields, responseFields, trailerFields } from "./write-fields.ts";

const GET = { method: "GET", scheme: "https", authority: "a.example", target: "/a?b" } as const;

test("requestFields() puts the pseudo-fields first and Host among them", () => {
  assert.deepEqual(
    requestFields({ ...GET, method: "POST" }, ["host", "a.example", "te", "trailers", "x", "y"], 3),
    [
      [":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/a?b"],
      ["te", "trailers", "x", "y", "content-length", "3"],
    ].flat(),
  );
});

test("requestFields() writes an extended CONNECT", () => {
  const request = { ...GET, method: "CONNECT", protocol: "websocket" } as const;
  assert.deepEqual(requestFields(request, []).slice(-2), [":protocol", "websocket"]);
  assert.throws(() => requestFields({ ...GET, protocol: "websocket" }, []), TypeError);
});

test("responseFields() puts :status first", () => {
  assert.deepEqual(
    responseFields(200, ["server", "a"], 0),
    [[":status", "200", "server", "a", "content-length", "0"]].flat(),
  );
  assert.deepEqual(responseFields(103, ["link", "a"]), [":status", "103", "link", "a"]);
});

test("trailerFields() gives the fields as they are", () => {
  assert.deepEqual(trailerFields(["grpc-status", "0"]), ["grpc-status", "0"]);
});

const BAD: readonly (readonly [name: string, value: string])[] = [
  ["", "a"],
  ["Server", "a"],
  ["a b", "c"],
  ["a:b", "c"],
  ["a\r\nb", "c"],
  [":path", "/"],
  ["connection", "close"],
  ["keep-alive", "timeout=1"],
  ["proxy-connection", "close"],
  ["transfer-encoding", "chunked"],
  ["upgrade", "websocket"],
  ["content-length", "1"],
  ["te", "gzip"],
  ["a", "b\r\nc: d"],
  ["a", "b\rc"],
  ["a", "b\nc"],
  ["a", "b\0c"],
  ["a", "b\x7fc"],
  ["a", " b"],
  ["a", "b\t"],
  ["a", "\u010a"],
];

for (const [name, value] of BAD) {
  test(`the writers throw for ${JSON.stringify(name)} with ${JSON.stringify(value)}`, () => {
    assert.throws(() => requestFields(GET, [name, value]), TypeError);
    assert.throws(() => responseFields(200, [name, value]), TypeError);
    assert.throws(() => trailerFields([name, value]), TypeError);
  });
}

test("the writers throw for what is wrong beside the fields", () => {
  assert.throws(() => requestFields(GET, ["host", "b.example"]), TypeError);
  assert.throws(() => responseFields(200, ["te", "trailers"]), TypeError);
  assert.throws(() => trailerFields(["te", "trailers"]), TypeError);
  for (const bad of ["", "a b", "a\r\nb", "\xe9", "\0"]) {
    assert.throws(() => requestFields({ ...GET, method: bad }, []), TypeError);
    assert.throws(() => requestFields({ ...GET, authority: bad }, []), TypeError);
    assert.throws(() => requestFields({ ...GET, target: bad }, []), TypeError);
  }
  for (const bad of [0, 99, 101, 600, 200.5, Number.NaN]) {
    assert.throws(() => responseFields(bad, []), TypeError);
  }
  for (const bad of [-1, 0.5, Number.NaN, 2 ** 60]) {
    assert.throws(() => requestFields(GET, [], bad), TypeError);
    assert.throws(() => responseFields(200, [], bad), TypeError);
  }
});

const name = fc.constantFrom("accept", "x-a", "x_b", "server", "priority", "traceparent");
const value = fc
  .string({ unit: fc.constantFrom("a", "B", "=", " ", "\t", "\xe9"), maxLength: 8 })
  .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
const list = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => pairs.flat());

test("what the writers write, the readers read as it was", () => {
  fc.assert(
    fc.property(list, fc.option(fc.nat(), { nil: undefined }), (fields, contentLength) => {
      const request = readRequestFields(
        requestFields(GET, ["host", "a.example", ...fields], contentLength),
        false,
        DEFAULT_HEAD_LIMITS,
      );
      if (isHeadFault(request)) assert.fail(request.detail);
      const length = contentLength === undefined ? [] : ["content-length", String(contentLength)];
      assert.deepEqual(request.head.fields, ["host", "a.example", ...fields, ...length]);
      const response = readResponseFields(responseFields(200, fields, contentLength), false, GET);
      if (isHeadFault(response)) assert.fail(response.detail);
      assert.deepEqual(response.fields, [...fields, ...length]);
      assert.ok(!("reason" in readTrailerFields(trailerFields(fields))));
    }),
  );
});

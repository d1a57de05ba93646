import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { checkFieldName, checkFieldValue } from "../field-text.ts";
import { isHeadFault } from "../head-fault.ts";
import { DEFAULT_HEAD_LIMITS, parseRequestHead } from "./request-head.ts";
import {
  type HeadFraming,
  writeInterimHead,
  writeRequestHead,
  writeResponseHead,
} from "./write-head.ts";

const NONE: HeadFraming = { bodyKind: "none", contentLength: 0, connection: undefined };

test("writeRequestHead() writes line, fields and framing", () => {
  const framing: HeadFraming = { bodyKind: "length", contentLength: 12, connection: "keep-alive" };
  assert.equal(
    writeRequestHead({ method: "POST", target: "/a?b" }, ["host", "a", "x-b", ""], framing),
    "POST /a?b HTTP/1.1\r\nhost: a\r\nx-b: \r\ncontent-length: 12\r\nconnection: keep-alive\r\n\r\n",
  );
  assert.equal(
    writeRequestHead({ method: "GET", target: "/" }, [], NONE),
    "GET / HTTP/1.1\r\n\r\n",
  );
});

test("writeResponseHead() writes status, phrase and framing", () => {
  const chunked: HeadFraming = { bodyKind: "chunked", contentLength: 0, connection: "close" };
  assert.equal(
    writeResponseHead(200, ["a", "b"], chunked),
    "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
  );
  assert.equal(writeResponseHead(299, [], NONE), "HTTP/1.1 299 \r\n\r\n");
  const untilClose: HeadFraming = {
    bodyKind: "until-close",
    contentLength: 0,
    connection: "keep-alive",
  };
  assert.equal(
    writeResponseHead(200, [], untilClose),
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
  );
});

test("writeInterimHead() writes neither framing nor connection", () => {
  assert.equal(writeInterimHead(100, []), "HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(
    writeInterimHead(103, ["link", "</a>"]),
    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
  );
});

for (const [name, bad] of [
  ["CR", "a\rb"],
  ["LF", "a\nb"],
  ["NUL", "a\0b"],
  ["a character that latin1 turns into LF", "a\u010ab"],
  ["a whole field", "a\r\nx-sallyport-assertion: b"],
] as const) {
  test(`the writers throw a TypeError for ${name} in a value, name, method or target`, () => {
    const request = { method: "GET", target: "/" };
    assert.throws(() => writeRequestHead(request, ["a", bad], NONE), TypeError);
    assert.throws(() => writeRequestHead(request, [bad, "a"], NONE), TypeError);
    assert.throws(() => writeRequestHead({ method: bad, target: "/" }, [], NONE), TypeError);
    assert.throws(() => writeRequestHead({ method: "GET", target: bad }, [], NONE), TypeError);
    assert.throws(() => writeResponseHead(200, ["a", bad], NONE), TypeError);
    assert.throws(() => writeInterimHead(103, ["a", bad]), TypeError);
    assert.equal(checkFieldValue(bad), false);
    assert.equal(checkFieldName(bad), false);
  });
}

test("writeRequestHead() throws a TypeError for framing that does not come from the parsed state", () => {
  const request = { method: "GET", target: "/" };
  for (const name of ["content-length", "transfer-encoding", "connection"]) {
    assert.throws(() => writeRequestHead(request, [name, "a"], NONE), TypeError);
  }
  for (const contentLength of [-1, 1.5, Number.NaN, 2 ** 53]) {
    const framing: HeadFraming = { bodyKind: "length", contentLength, connection: undefined };
    assert.throws(() => writeRequestHead(request, [], framing), TypeError);
  }
  assert.throws(() => writeRequestHead({ method: "GET", target: "/a b" }, [], NONE), TypeError);
});

test("parseRequestHead() reads what writeRequestHead() writes", () => {
  const name = fc.stringMatching(/^x-[a-z0-9-]{1,12}$/);
  const value = fc.string({
    unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)),
  });
  const field = fc.tuple(name, value.filter(checkFieldValue));
  fc.assert(
    fc.property(fc.array(field, { maxLength: 10 }), fc.nat(2 ** 40), (pairs, contentLength) => {
      const fields = ["host", "a.example", ...pairs.flat()];
      const framing: HeadFraming = { bodyKind: "length", contentLength, connection: "close" };
      const text = writeRequestHead({ method: "PUT", target: "/a" }, fields, framing);
      const buffer = Buffer.from(text, "latin1");
      const head = parseRequestHead(buffer, 0, buffer.length, DEFAULT_HEAD_LIMITS);
      assert.ok(!isHeadFault(head));
      assert.deepEqual(head.fields.slice(0, -4), fields);
      assert.equal(head.contentLength, contentLength);
      assert.equal(head.keepAlive, false);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BodyReader, Exchange } from "./exchange.ts";
import { readWholeBody, type WholeBody } from "./whole-body.ts";

/** An exchange of which only the request body matters, and what was made of it. */
function ground(maxBytes: number) {
  let reader: BodyReader | undefined;
  const asked: number[] = [];
  const stream = {
    attach: (one: BodyReader) => void (reader = one),
    read: (bytes: number) => void asked.push(bytes),
  };
  const got: WholeBody[] = [];
  readWholeBody({ stream } as unknown as Exchange, maxBytes, (body) => void got.push(body));
  if (reader === undefined) throw new TypeError("nothing is attached");
  assert.deepEqual(asked, [maxBytes]);
  return { reader, got };
}

void test("readWholeBody() gives all that came, in its order", () => {
  const { reader, got } = ground(10);
  reader.bodyChunk(Buffer.from("be"));
  reader.bodyChunk(Buffer.from("gun"));
  assert.deepEqual(got, []);
  reader.bodyEnd(undefined);
  assert.deepEqual(got, [{ bytes: Buffer.from("begun") }]);
});

void test("readWholeBody() refuses what is larger, once, and takes exactly as much", () => {
  const whole = ground(3);
  whole.reader.bodyChunk(Buffer.from("abc"));
  whole.reader.bodyEnd(undefined);
  assert.deepEqual(whole.got, [{ bytes: Buffer.from("abc") }]);
  const larger = ground(3);
  larger.reader.bodyChunk(Buffer.from("abcd"));
  larger.reader.bodyChunk(Buffer.from("e"));
  larger.reader.bodyEnd(undefined);
  assert.deepEqual(larger.got, [{ fault: "body-too-large" }]);
});

void test("readWholeBody() says why a body did not come whole", () => {
  const { reader, got } = ground(10);
  reader.bodyChunk(Buffer.from("be"));
  reader.bodyFault("request-timeout", "it is slow");
  reader.bodyEnd(undefined);
  assert.deepEqual(got, [{ fault: "request-timeout" }]);
});

void test("readWholeBody() says nothing of a caller that went away", () => {
  const { reader, got } = ground(10);
  reader.bodyChunk(Buffer.from("be"));
  reader.callerGone();
  reader.bodyEnd(undefined);
  assert.deepEqual(got, []);
});

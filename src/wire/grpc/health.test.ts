import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { healthCheckFault, healthCheckMessage } from "./health.ts";

const SERVING = [0x08, 0x01];

function framed(body: readonly number[], flag = 0): Buffer {
  return Buffer.from([flag, 0, 0, 0, body.length, ...body]);
}

test("healthCheckMessage() asks for the server as a whole by an empty message", () => {
  assert.deepEqual([...healthCheckMessage("")], [0, 0, 0, 0, 0]);
});

test("healthCheckMessage() names a service, also a long one", () => {
  assert.deepEqual([...healthCheckMessage("a.B")], [0, 0, 0, 0, 5, 0x0a, 3, 0x61, 0x2e, 0x42]);
  const long = healthCheckMessage("x".repeat(300));
  assert.deepEqual([...long.subarray(0, 8)], [0, 0, 0, 0x01, 0x2f, 0x0a, 0xac, 0x02]);
  assert.equal(long.length, 5 + 3 + 300);
});

test("healthCheckFault() passes SERVING and nothing else", () => {
  assert.equal(healthCheckFault(framed(SERVING)), undefined);
  assert.equal(healthCheckFault(framed([])), "UNKNOWN");
  assert.equal(healthCheckFault(framed([0x08, 0x02])), "NOT_SERVING");
  assert.equal(healthCheckFault(framed([0x08, 0x03])), "SERVICE_UNKNOWN");
  assert.equal(healthCheckFault(framed([0x08, 0x04])), "an unknown status");
});

test("healthCheckFault() skips fields that it does not know, and takes the last of one that it does", () => {
  const unknown = [0x12, 2, 1, 2, 0x18, 0x96, 0x01, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2d, 1, 2, 3, 4];
  assert.equal(healthCheckFault(framed([...unknown, ...SERVING])), undefined);
  assert.equal(healthCheckFault(framed([...SERVING, ...unknown])), undefined);
  assert.equal(healthCheckFault(framed([...SERVING, 0x08, 0x02])), "NOT_SERVING");
});

test("healthCheckFault() refuses what is no whole message", () => {
  const cases: readonly (readonly [string, Buffer])[] = [
    ["nothing", Buffer.alloc(0)],
    ["a prefix cut short", Buffer.from([0, 0, 0, 0])],
    ["a body cut short", framed(SERVING).subarray(0, 6)],
    ["bytes behind it", Buffer.concat([framed(SERVING), Buffer.from([0])])],
    ["two messages", Buffer.concat([framed(SERVING), framed(SERVING)])],
    ["a compressed one", framed(SERVING, 1)],
    ["a tag of field 0", framed([0x00, 0x01])],
    ["a varint cut short", framed([0x08, 0x80])],
    ["a varint without end", framed([0x08, ...Array<number>(10).fill(0x81), 1])],
    ["a text beyond the end", framed([0x12, 9, 1])],
    ["a fixed number beyond the end", framed([0x21, 1])],
    ["a group", framed([0x13, 0x14])],
    ["a status that is a text", framed([0x0a, 1, 1])],
    ["a tag beyond 32 bits", framed([0x88, 0x80, 0x80, 0x80, 0x10, 0x01])],
  ];
  for (const [what, bytes] of cases) assert.ok(healthCheckFault(bytes) !== undefined, what);
});

test("healthCheckFault() never throws, whatever the bytes are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const fault = healthCheckFault(framed([...bytes]));
      assert.ok(fault === undefined || fault.length > 0);
    }),
  );
});

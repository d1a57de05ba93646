import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CLOSE, closeFrame, FrameBoundaries } from "./websocket-frames.ts";

test("FrameBoundaries is between frames exactly where one ends, however the bytes are cut", () => {
  const frame = fc.record({
    opcode: fc.constantFrom(0, 1, 2, 9, 10),
    length: fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 127, 65_535, 65_536, 70_000)),
    masked: fc.boolean(),
    fin: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(5000)), (frames, cuts) => {
      const parts = frames.map(frameBytes);
      const ends = new Set<number>([0]);
      let total = 0;
      for (const part of parts) ends.add((total += part.length));
      const bytes = Buffer.concat(parts);
      const boundaries = new FrameBoundaries();
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        const next = Math.min(at + cut, bytes.length);
        boundaries.pass(bytes.subarray(at, next));
        at = next;
        assert.equal(boundaries.between, ends.has(at));
      }
    }),
  );
});

test("FrameBoundaries is never between frames once a Close has passed", () => {
  const boundaries = new FrameBoundaries();
  boundaries.pass(closeFrame(CLOSE.goingAway, ""));
  assert.equal(boundaries.between, false);
});

test("closeFrame() writes code and reason, masked or not", () => {
  assert.deepEqual([...closeFrame(CLOSE.policy, "ok")], [0x88, 4, 0x03, 0xf0, 0x6f, 0x6b]);
  const masked = closeFrame(CLOSE.policy, "ok", Uint8Array.of(1, 2, 3, 4));
  assert.deepEqual([...masked], [0x88, 0x84, 1, 2, 3, 4, 0x02, 0xf2, 0x6c, 0x6f]);
  assert.throws(() => closeFrame(CLOSE.policy, "x".repeat(124)), TypeError);
});

function frameBytes(frame: {
  readonly opcode: number;
  readonly length: number;
  readonly masked: boolean;
  readonly fin: boolean;
}): Buffer {
  const { opcode, length, masked, fin } = frame;
  const bit = masked ? 0x80 : 0;
  const head = [(fin ? 0x80 : 0) | opcode];
  if (length < 126) head.push(bit | length);
  else if (length < 65_536) head.push(bit | 126, length >> 8, length & 0xff);
  else head.push(bit | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff);
  if (masked) head.push(1, 2, 3, 4);
  // Payload that looks like the header of a Close.
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length, 0x88)]);
}

import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { ReceiveQueue } from "./receive-queue.ts";
import { ReceiveWindow } from "./receive-window.ts";

test("ReceiveQueue gives back what was put in, in pieces that hold on to nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 20 }), (parts) => {
      const queue = new ReceiveQueue();
      for (const part of parts) queue.add(Buffer.from(part));
      const all = Buffer.concat(parts);
      const pieces: Buffer[] = [];
      let memory = 0;
      for (let piece = queue.take(); piece !== undefined; piece = queue.take()) {
        pieces.push(piece);
        memory += piece.buffer.byteLength;
      }
      assert.ok(Buffer.concat(pieces).equals(all));
      assert.ok(queue.empty);
      assert.ok(memory <= all.length + 16 * 1024 + 1024, `${memory} for ${all.length}`);
    }),
  );
});

test("ReceiveQueue keeps frames of a byte in little more than their bytes", () => {
  const queue = new ReceiveQueue();
  for (let index = 0; index < 100_000; index += 1) queue.add(Buffer.from("x"));
  let pieces = 0;
  while (queue.take() !== undefined) pieces += 1;
  assert.ok(pieces < 10, `${pieces} pieces`);
});

test("ReceiveQueue can be added to while it is being emptied", () => {
  const queue = new ReceiveQueue();
  queue.add(Buffer.from("one"));
  assert.equal(queue.take()?.toString(), "one");
  queue.add(Buffer.from("two"));
  queue.add(Buffer.alloc(40_000, "3"));
  const first = queue.take();
  queue.add(Buffer.from("four"));
  let rest = first?.toString() ?? "";
  for (let piece = queue.take(); piece !== undefined; piece = queue.take())
    rest += piece.toString();
  assert.equal(rest, `two${"3".repeat(40_000)}four`);
});

test("ReceiveWindow gives back half a window at a time and refuses what is beyond it", () => {
  const window = new ReceiveWindow(100_000);
  assert.ok(window.take(100_000));
  assert.equal(window.give(49_999), 0);
  assert.equal(window.give(1), 50_000);
  assert.ok(window.take(50_000));
  assert.ok(!window.take(1));
});

test("ReceiveWindow grows once its reader has taken much, and not before", () => {
  const window = new ReceiveWindow(65_535, 262_144);
  let told = 65_535;
  let taken = 0;
  for (; told - taken <= 65_535; taken += 32_768) {
    assert.ok(window.take(32_768));
    told += window.give(32_768);
  }
  assert.equal(taken, 262_144);
  assert.equal(told - taken, 262_144);
  assert.ok(window.take(262_144));
  assert.ok(!window.take(1));
});

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { readSlowly } from "./slow-reader.ts";

test("readSlowly() reads everything, and pauses after each piece", async () => {
  const source = Readable.from(Array.from({ length: 8 }, () => Buffer.alloc(10)));
  let pauses = 0;
  source.on("pause", () => (pauses += 1));
  const sizes: number[] = [];
  const total = await readSlowly(source, { pieceBytes: 20, pauseMs: 1 }, (size) =>
    sizes.push(size),
  );
  assert.equal(total, 80);
  assert.equal(sizes.length, 8);
  assert.equal(pauses, 4);
});

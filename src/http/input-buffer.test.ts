import assert from "node:assert/strict";
import { test } from "node:test";
import { InputBuffer } from "./input-buffer.ts";

test("a read that is taken whole is not copied", () => {
  const input = new InputBuffer();
  const chunk = Buffer.from("abc");
  input.append(chunk);
  assert.equal(input.bytes, chunk);
  input.take(3);
  assert.equal(input.length, 0);
});

test("what waits is gathered, and slices handed out before stay as they were", () => {
  const input = new InputBuffer();
  let all = "";
  const slices: [Buffer, string][] = [];
  for (let round = 0; round < 3000; round += 1) {
    const text = String.fromCharCode(97 + (round % 26)).repeat((round % 7) + 1);
    input.append(Buffer.from(text));
    all += text;
    if (round % 5 === 0) {
      const taken = Math.min(3, input.length);
      slices.push([input.bytes.subarray(input.start, input.start + taken), all.slice(0, taken)]);
      input.take(input.start + taken);
      all = all.slice(taken);
    }
    assert.equal(input.bytes.toString("latin1", input.start), all);
  }
  for (const [slice, text] of slices) assert.equal(slice.toString(), text);
});

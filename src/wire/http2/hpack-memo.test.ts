import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { HpackMemo } from "./hpack-memo.ts";

const LIMITS = { minBytes: 4, maxBytes: 64 };

function whole(text: string): { buffer: Buffer; start: number; end: number } {
  // In the middle of other bytes, as a block is in what was read.
  const buffer = Buffer.from(`<<${text}>>`, "latin1");
  return { buffer, start: 2, end: 2 + text.length };
}

/** As the decoder does: asks first, and tells what was not known. */
function notice(memo: HpackMemo<string>, text: string): void {
  assert.equal(recall(memo, text), undefined);
  memo.notice(whole(text), "meaning");
}

function recall(memo: HpackMemo<string>, text: string): string | undefined {
  const { buffer, start, end } = whole(text);
  return memo.recall(buffer, start, end);
}

test("HpackMemo.recall() knows what was noticed twice in a row", () => {
  const memo = new HpackMemo(LIMITS, "");
  notice(memo, "abcdef");
  notice(memo, "abcdef");
  assert.equal(recall(memo, "abcdef"), "meaning");
});

test("HpackMemo.notice() keeps nothing shorter or longer than its limits", () => {
  const memo = new HpackMemo(LIMITS, "");
  for (const [length, kept] of [
    [0, false],
    [3, false],
    [4, true],
    [64, true],
    [65, false],
  ] as const) {
    const text = "x".repeat(length);
    notice(memo, text);
    notice(memo, text);
    assert.equal(recall(memo, text) !== undefined, kept, `${length}`);
  }
});

test("HpackMemo.forget() forgets all", () => {
  const memo = new HpackMemo(LIMITS, "");
  for (const text of ["abcd", "abcde", "abcdef"]) {
    notice(memo, text);
    notice(memo, text);
  }
  memo.forget("");
  for (const text of ["abcd", "abcde", "abcdef"]) assert.equal(recall(memo, text), undefined);
});

test("HpackMemo.recall() only ever gives the meaning of the very same bytes", () => {
  // Few letters and lengths, so that bytes that look alike are common.
  const text = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 4, maxLength: 14 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
      const memo = new HpackMemo(LIMITS, "");
      for (const each of texts) {
        const known = recall(memo, each);
        assert.equal(known ?? each, each);
        if (known === undefined) memo.notice(whole(each), each);
      }
    }),
    { numRuns: 300 },
  );
});

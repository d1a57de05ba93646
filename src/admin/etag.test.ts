import assert from "node:assert/strict";
import { test } from "node:test";
import { etagOf, readIfMatch } from "./etag.ts";
import { AdminProblem } from "./problem.ts";

void test("readIfMatch() reads what etagOf() wrote, and anything for any", () => {
  for (const number of [0, 7, Number.MAX_SAFE_INTEGER]) {
    assert.equal(readIfMatch(etagOf(number)), number);
  }
  assert.equal(readIfMatch(undefined), undefined);
  assert.equal(readIfMatch("*"), undefined);
});

void test("readIfMatch() refuses what would have to be guessed at", () => {
  for (const value of ['W/"1"', '"1", "2"', "1", '"01"', '"x"', '""', "", '"1" ', '"-1"']) {
    assert.throws(() => readIfMatch(value), AdminProblem, value);
  }
});

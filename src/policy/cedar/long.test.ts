import { test } from "node:test";
import assert from "node:assert/strict";
import { OVERFLOW } from "./evaluation-error.ts";
import {
  addLong,
  canonicalLong,
  divideLong,
  multiplyLong,
  negateLong,
  subtractLong,
} from "./long.ts";

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

void test("canonicalLong() gives a number while it is safe and a bigint beyond", () => {
  assert.equal(canonicalLong(2n ** 53n - 1n), Number.MAX_SAFE_INTEGER);
  assert.equal(canonicalLong(2n ** 53n), 2n ** 53n);
  assert.equal(canonicalLong(MAX), MAX);
});

void test("canonicalLong() throws OVERFLOW outside 64 bits", () => {
  assert.throws(() => canonicalLong(MAX + 1n), OVERFLOW);
  assert.throws(() => canonicalLong(MIN - 1n), OVERFLOW);
});

void test("addLong() and subtractLong() stay exact across 2^53 and back", () => {
  assert.equal(addLong(Number.MAX_SAFE_INTEGER, 2), 2n ** 53n + 1n);
  assert.equal(subtractLong(2n ** 53n + 1n, 2), Number.MAX_SAFE_INTEGER);
});

void test("arithmetic throws OVERFLOW at the edges of 64 bits", () => {
  assert.throws(() => addLong(MAX, 1), OVERFLOW);
  assert.throws(() => subtractLong(MIN, 1), OVERFLOW);
  assert.throws(() => multiplyLong(2n ** 62n, 2), OVERFLOW);
  assert.throws(() => negateLong(MIN), OVERFLOW);
  assert.equal(addLong(MAX, -1), MAX - 1n);
});

void test("arithmetic never gives -0, which is no integer", () => {
  for (const zero of [multiplyLong(0, -5), negateLong(0), divideLong(-1, 1000)]) {
    assert.ok(Object.is(zero, 0));
  }
});

void test("divideLong() rounds towards zero", () => {
  assert.equal(divideLong(-1999, 1000), -1);
  assert.equal(divideLong(MIN, 1000), -9_223_372_036_854_775n);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createTraceparents } from "../../platform/trace-ids.ts";
import { Allowance, isKept, thresholdOf } from "./sampler.ts";

/** A `traceparent` whose trace id ends in these 14 digits. */
function ending(digits: string): string {
  return `00-${"7".repeat(18)}${digits}-${"1".repeat(16)}-00`;
}

test("thresholdOf() is what rejects the rest", () => {
  assert.equal(thresholdOf(0), undefined);
  assert.equal(thresholdOf(1), "00000000000000");
  assert.equal(thresholdOf(0.5), "80000000000000");
  assert.equal(thresholdOf(0.25), "c0000000000000");
  assert.equal(thresholdOf(0.01)?.slice(0, 8), "fd70a3d7");
  assert.equal(thresholdOf(1e-20), undefined);
});

test("isKept() looks at the low 56 bits alone, and takes the threshold itself", () => {
  const half = thresholdOf(0.5);
  assert.equal(isKept(ending("80000000000000"), half), true);
  assert.equal(isKept(ending("7fffffffffffff"), half), false);
  assert.equal(isKept(ending("ffffffffffffff"), half), true);
  assert.equal(isKept(ending("80000000000001"), "80000000000002"), false);
  assert.equal(isKept(ending("a0000000000000"), "90000000000000"), true);
  assert.equal(isKept(ending("00000000000000"), thresholdOf(1)), true);
  assert.equal(isKept(ending("ffffffffffffff"), thresholdOf(0)), false);
});

test("isKept() keeps the share that the rate says", () => {
  const next = createTraceparents();
  const threshold = thresholdOf(0.1);
  let kept = 0;
  for (let index = 0; index < 20_000; index++) if (isKept(next(), threshold)) kept++;
  // Ten standard deviations (42) to either side.
  assert.ok(kept > 1576 && kept < 2424, `${kept} of 20000`);
});

test("isKept() at a lower rate keeps only what a higher one keeps too", () => {
  const next = createTraceparents();
  const [low, high] = [thresholdOf(0.05), thresholdOf(0.3)];
  for (let index = 0; index < 5000; index++) {
    const traceparent = next();
    if (isKept(traceparent, low)) assert.ok(isKept(traceparent, high));
  }
});

test("Allowance gives so many a second, and saves up no more than those", () => {
  const allowance = new Allowance(2);
  assert.deepEqual(
    [0, 0, 0].map((at) => allowance.take(at)),
    [true, true, false],
  );
  assert.equal(allowance.take(499), false);
  assert.equal(allowance.take(1000), true);
  assert.deepEqual(
    [9000, 9000, 9000].map((at) => allowance.take(at)),
    [true, true, false],
  );
  assert.equal(new Allowance(0).take(1000), false);
});

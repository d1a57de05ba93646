import assert from "node:assert/strict";
import test from "node:test";
import { ManualClock, systemClock } from "./clock.ts";

test("systemClock tells the epoch in milliseconds, and a time that never goes back", () => {
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
  let last = systemClock.monotonic();
  for (let index = 0; index < 1000; index++) {
    const next = systemClock.monotonic();
    assert.ok(next >= last);
    last = next;
  }
});

test("ManualClock stands still until it is turned", () => {
  const clock = new ManualClock(1_800_000_000_000);
  assert.deepEqual([clock.now(), clock.monotonic()], [1_800_000_000_000, 0]);
  clock.advance(1500);
  assert.deepEqual([clock.now(), clock.monotonic()], [1_800_000_001_500, 1500]);
});

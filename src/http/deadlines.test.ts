import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../platform/clock.ts";
import { Deadlines, NEVER } from "./deadlines.ts";

test("tick() expires what is due, and only that", () => {
  const clock = new ManualClock(0);
  const deadlines = new Deadlines(clock);
  const expired: string[] = [];
  const item = (name: string, expiresAt: number) => ({
    expiresAt,
    expired: () => {
      expired.push(name);
    },
  });
  const items = [item("soon", 10), item("later", 20), item("never", NEVER)];
  for (const each of items) deadlines.add(each);
  clock.advance(9);
  deadlines.tick();
  assert.deepEqual(expired, []);
  clock.advance(1);
  deadlines.tick();
  assert.deepEqual(expired, ["soon"]);
  const [soon] = items;
  if (soon !== undefined) soon.expiresAt = NEVER;
  clock.advance(100);
  deadlines.tick();
  assert.deepEqual(expired, ["soon", "later"]);
  for (const each of items) deadlines.delete(each);
  assert.equal(deadlines.size, 0);
});

test("the timer of its own expires items, and coarseNow is fresh when the first is added", async () => {
  let now = 5000;
  const deadlines = new Deadlines({ now: () => 0, monotonic: () => now });
  now = 9000;
  await new Promise<void>((resolve) => {
    const item = {
      expiresAt: 9000,
      expired: () => {
        deadlines.delete(item);
        resolve();
      },
    };
    deadlines.add(item);
    assert.equal(deadlines.coarseNow, 9000);
  });
  assert.equal(deadlines.size, 0);
});

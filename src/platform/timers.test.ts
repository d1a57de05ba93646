import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTimers } from "./timers.ts";

test("systemTimers counts what waits: neither what has run nor what was called off", async () => {
  const before = systemTimers.waiting;
  const ran = Promise.withResolvers<void>();
  systemTimers.after(1, ran.resolve);
  const stop = systemTimers.after(60_000, () => assert.fail("it was called off"));
  assert.equal(systemTimers.waiting, before + 2);
  stop();
  stop();
  assert.equal(systemTimers.waiting, before + 1);
  // The test keeps the process alive: these timers do not.
  const alive = setTimeout(() => ran.reject(new Error("it did not run")), 10_000);
  await ran.promise;
  clearTimeout(alive);
  assert.equal(systemTimers.waiting, before);
});

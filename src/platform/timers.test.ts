import assert from "node:assert/strict";
import test from "node:test";
import { ManualTimers, systemTimers } from "./timers.ts";

test("systemTimers runs once what is not called off", async () => {
  const ran: string[] = [];
  const cancel = systemTimers.after(1, () => ran.push("cancelled"));
  cancel();
  // A timer that keeps the process alive: those under test do not.
  const alive = setTimeout(() => undefined, 60_000);
  await new Promise<void>((resolve) => {
    systemTimers.after(2, () => {
      ran.push("ran");
      resolve();
    });
  });
  clearTimeout(alive);
  assert.deepEqual(ran, ["ran"]);
});

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

test("ManualTimers runs what waits when it is told to", () => {
  const timers = new ManualTimers();
  const ran: string[] = [];
  timers.after(5, () => {
    ran.push("a");
    timers.after(7, () => ran.push("again"));
  });
  timers.after(6, () => ran.push("b"))();
  assert.deepEqual(timers.delays, [5]);
  timers.runAll();
  assert.deepEqual([ran, timers.delays], [["a"], [7]]);
});

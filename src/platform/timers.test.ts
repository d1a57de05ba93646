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

import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../../test/ports.ts";
import type { ApiKeyUse } from "../../model/api-keys.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { ToldUses } from "./told-uses.ts";

function scene() {
  const timers = new ManualTimers();
  const log = recordedLog();
  const reports: (readonly ApiKeyUse[])[] = [];
  const state = { away: false };
  const report = (uses: readonly ApiKeyUse[]): Promise<void> => {
    reports.push(uses);
    return state.away ? Promise.reject(new Error("away")) : Promise.resolve();
  };
  return { timers, log, reports, state, uses: new ToldUses(report, { timers, log }) };
}

test("tell() gathers what several processes say, and tells it as one, with the last time of each key", async () => {
  const { timers, reports, uses } = scene();
  uses.tell([{ id: "a", atMs: 3 }]);
  uses.tell([
    { id: "a", atMs: 2 },
    { id: "b", atMs: 1 },
  ]);
  uses.tell([]);
  assert.equal(timers.delays.length, 1);
  timers.runAll();
  await uses.close();
  assert.deepEqual(reports, [
    [
      { id: "a", atMs: 3 },
      { id: "b", atMs: 1 },
    ],
  ]);
  assert.equal(timers.delays.length, 0);
});

test("what could not be told is told with the next, and that is said once", async () => {
  const { timers, log, reports, state, uses } = scene();
  state.away = true;
  for (const id of ["a", "b"]) {
    uses.tell([{ id, atMs: 1 }]);
    timers.runAll();
    await new Promise(setImmediate);
  }
  assert.equal(log.lines.length, 1);
  state.away = false;
  uses.tell([{ id: "a", atMs: 5 }]);
  await uses.close();
  assert.deepEqual(reports.at(-1), [
    { id: "a", atMs: 5 },
    { id: "b", atMs: 1 },
  ]);
});

test("tell() holds no more than it may while nobody can be told", async () => {
  const { reports, uses } = scene();
  uses.tell(Array.from({ length: 10_001 }, (_, atMs) => ({ id: String(atMs), atMs })));
  await uses.close();
  assert.equal(reports[0]?.length, 10_000);
});

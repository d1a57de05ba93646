import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { SallyportError } from "../model/errors.ts";
import { ManualTimers } from "../platform/timers.ts";
import { recordedLog } from "../../test/ports.ts";
import { keepHouse } from "./housekeeping.ts";

test("keepHouse() purges again and again, also after a failure, until it is ended", async () => {
  const timers = new ManualTimers();
  const log = recordedLog();
  const kept: number[] = [];
  const end = keepHouse(
    {
      purge: async (keepRemovalsMs) => {
        kept.push(keepRemovalsMs);
        if (kept.length === 2) throw new SallyportError("store-unavailable", "away");
        return 3;
      },
    },
    { timers, log },
  );
  assert.deepEqual(kept, []);
  for (let round = 1; round <= 3; round += 1) {
    assert.equal(timers.delays.length, 1);
    const [delay = 0] = timers.delays;
    assert.ok(delay >= 300_000 && delay <= 900_000);
    timers.runAll();
    await turn();
    assert.deepEqual(
      kept,
      Array.from({ length: round }, () => 86_400_000),
    );
  }
  assert.equal(log.lines.filter((line) => line.includes('"removed":3')).length, 2);
  end();
  assert.deepEqual(timers.delays, []);
});

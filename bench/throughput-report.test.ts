import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuRatio } from "./throughput-report.ts";
import type { Cell } from "./throughput.ts";

function cell(peer: string, round: number, cpuUsPerRequest: number): Cell {
  return {
    peer,
    round,
    cpuUsPerRequest,
    requests: 1,
    requestsPerSecond: 1,
    p50Us: 1,
    p99Us: 1,
    coreShare: 1,
    disturbance: 0,
    residentBytes: 1,
    proportionalBytes: 1,
  };
}

test("cpuRatio() compares within a round, so that a slow round does not count against one peer", () => {
  const first = [cell("a", 1, 20), cell("b", 1, 40)];
  const slow = [cell("a", 2, 200), cell("b", 2, 400)];
  const third = [cell("b", 3, 44), cell("a", 3, 20)];
  const cells = [...first, ...slow, ...third];
  assert.equal(cpuRatio(cells, "a", "b"), 2);
  assert.equal(cpuRatio(cells, "a", "c"), undefined);
});

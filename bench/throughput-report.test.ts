import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuRatio, HTTP1_REPORT, reportThroughput } from "./throughput-report.ts";
import type { Cell } from "./throughput.ts";
import { nginxHttp2 as PEER } from "./peers/nginx.ts";

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

test("reportThroughput() compares each peer with whom the section names for it", () => {
  const cells = [cell("a", 1, 20), cell("b", 1, 40)];
  const peers = ["a", "b"].map((name) => ({ ...PEER, name, title: name.toUpperCase() }));
  const ratios = [{ heading: "to B", to: (peer: string) => (peer === "a" ? "b" : undefined) }];
  const goals = [
    { peer: "a", to: "b", atLeast: 3 },
    { peer: "a", to: "absent", atLeast: 1 },
  ];
  const section = reportThroughput({ ...HTTP1_REPORT, ratios, goals }, cells, peers);
  assert.deepEqual(
    section.table.rows.map(([title, , , ratio]) => [title, ratio]),
    [
      ["A", "2 ×"],
      ["B", ""],
    ],
  );
  assert.deepEqual(
    section.goals.map(({ measured, bound }) => [measured, bound]),
    [[2, { atLeast: 3 }]],
  );
});

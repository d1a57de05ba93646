import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  groupUsage,
  membersOf,
  parseCoreBusyMs,
  parseProcessStat,
  parseProportionalBytes,
} from "./process-stat.ts";

const LINE =
  "4242 (nginx: a) b) S 1 4240 4240 0 -1 4194560 812 33 0 0 150 25 7 3 20 0 4 0 98765 123456789 2048 18446744073709551615 1 1 0";

test("parseProcessStat() finds the fields when the name holds spaces and parentheses", () => {
  assert.deepEqual(parseProcessStat(LINE), {
    pid: 4242,
    parent: 1,
    state: "S",
    group: 4240,
    cpuTicks: 150 + 25 + 7 + 3,
    residentPages: 2048,
  });
});

test("parseProcessStat() throws when the line is something else or is cut short", () => {
  assert.throws(() => parseProcessStat("nothing"), TypeError);
  assert.throws(() => parseProcessStat("1 (a) S 1 1 1"), TypeError);
});

test("membersOf() takes the group and what descends from it, and nobody else", () => {
  const stat = (pid: number, parent: number, group: number) => ({
    ...parseProcessStat(LINE),
    pid,
    parent,
    group,
  });
  const worker = stat(11, 10, 11);
  const processes = [stat(12, 11, 11), worker, stat(10, 1, 10), stat(20, 1, 20), stat(13, 1, 10)];
  const pids = membersOf(10, processes).map(({ pid }) => pid);
  assert.deepEqual(pids, [10, 13, 11, 12]);
});

test("parseProportionalBytes() reads Pss and not its parts", () => {
  const text = "Rss:                1000 kB\nPss:                 512 kB\nPss_Anon:       100 kB\n";
  assert.equal(parseProportionalBytes(text), 512 * 1024);
  assert.equal(parseProportionalBytes("Rss: 1 kB\n"), undefined);
});

test("parseCoreBusyMs() leaves idle and waiting time out", () => {
  const stat =
    "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 10 20 30 4000 500 6 7 8 0 0\n";
  assert.equal(parseCoreBusyMs(stat, 1), (10 + 20 + 30 + 6 + 7 + 8) * 10);
  assert.throws(() => parseCoreBusyMs(stat, 7), TypeError);
});

test("groupUsage() sees this very process, and throws for a group that nobody is in", (t) => {
  if (process.platform !== "linux") {
    t.skip("needs /proc");
    return;
  }
  const usage = groupUsage(parseProcessStat(readFileSync("/proc/self/stat", "utf8")).group);
  assert.ok(usage.processes >= 1);
  assert.ok(usage.residentBytes > 1_000_000);
  assert.ok(usage.cpuMs >= 0);
  assert.throws(() => groupUsage(2 ** 30));
});

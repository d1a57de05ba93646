import assert from "node:assert/strict";
import { test } from "node:test";
import { segmentFile, segmentName, type SegmentFile } from "../segment-names.ts";
import { createWriters } from "./writers.ts";

const START_MS = Date.UTC(2026, 10, 24);

function segment(at: number, instance: string): SegmentFile {
  const file = segmentFile(segmentName(START_MS + at, instance));
  assert.ok(file !== undefined);
  return file;
}

test("over() holds what its writer has left, and what no process can be writing", () => {
  const former = segment(0, "7-w1");
  const current = segment(1, "7-w1");
  const beside = segment(2, "7-w2");
  const gone = segment(3, "8");
  const writers = createWriters("/audit", {
    now: () => 0,
    alive: (pid) => pid === 7,
    openFiles: () => ["/audit", `/audit/${current.file}`],
  });
  // The process has a new name by now: its id was given to another one.
  assert.deepEqual(
    [...writers.over([former, current, beside, gone])],
    [former.segment, beside.segment, gone.segment],
  );
});

test("over() takes what may be written for written where nobody says what a process has open", () => {
  const file = segment(0, "7");
  const writers = createWriters("/audit", {
    now: () => 0,
    alive: () => true,
    openFiles: () => undefined,
  });
  assert.deepEqual([...writers.over([file])], []);
});

test("over() finds what this process has open itself", () => {
  const file = segment(0, String(process.pid));
  const writers = createWriters("/nowhere", { now: () => 0 });
  // Where it cannot be told (no /proc), it may be being written.
  assert.equal(writers.over([file]).size, process.platform === "linux" ? 1 : 0);
});

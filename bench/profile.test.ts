import assert from "node:assert/strict";
import { test } from "node:test";
import { summarizeProfile } from "./profile.ts";

function node(id: number, functionName: string, url: string): object {
  return { id, callFrame: { functionName, url, lineNumber: 9 } };
}

test("summarizeProfile() does not count a gap in the samples for what ran last", () => {
  const profile = {
    nodes: [node(1, "a", ""), node(2, "b", "")],
    samples: [1, 2],
    timeDeltas: [9e6, 1000],
  };
  const shares = summarizeProfile(JSON.stringify(profile)).functions;
  assert.deepEqual(shares, [
    { name: "a", share: 0.75 },
    { name: "b", share: 0.25 },
  ]);
});

test("summarizeProfile() shares out self time by function and folder, waiting left out", () => {
  const profile = {
    nodes: [
      node(1, "(idle)", ""),
      node(2, "parse", "file:///somewhere/src/wire/head.ts"),
      node(3, "", "file:///somewhere/src/wire/head.ts"),
      node(4, "emit", "node:events"),
      node(5, "writev", ""),
    ],
    samples: [1, 2, 2, 3, 4, 5],
    timeDeltas: [900_000, 100, 200, 100, 50, 50],
  };
  const summary = summarizeProfile(JSON.stringify(profile));
  assert.equal(summary.busyMs, 0.5);
  assert.deepEqual(summary.folders, [
    { name: "src/wire", share: 0.8 },
    { name: "node: modules", share: 0.1 },
    { name: "native, and not attributed", share: 0.1 },
  ]);
  assert.deepEqual(summary.functions.slice(0, 2), [
    { name: "parse  src/wire/head.ts:10", share: 0.6 },
    { name: "(anonymous)  src/wire/head.ts:10", share: 0.2 },
  ]);
});

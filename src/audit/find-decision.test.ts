import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { NOW_MS } from "../../test/audit-kit.ts";
import { ManualClock } from "../platform/clock.ts";
import { createDecisionIds, decisionTime } from "../platform/decision-id.ts";
import { findDecision } from "./find-decision.ts";
import { compressSegment } from "./archive/compress.ts";
import { segmentName } from "./segment-names.ts";

const idAt = (timeMs: number): string => createDecisionIds(new ManualClock(timeMs))();

async function folderOf(context: TestContext, files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), "find-decision-"));
  context.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

function decision(id: string, changes: object = {}): string {
  return `${JSON.stringify({
    bundle: "sha256-x",
    decision: "deny",
    decisionId: id,
    listener: "edge",
    peerAddress: "192.0.2.7",
    peerPort: 1,
    reason: "no-route",
    requestId: "r",
    time: new Date(NOW_MS).toISOString(),
    type: "decision",
    v: 1,
    ...changes,
  })}\n`;
}

function completion(id: string): string {
  return `${JSON.stringify({
    decisionId: id,
    durationMs: 1,
    end: "complete",
    requestBytes: 0,
    responseBytes: 0,
    status: 404,
    time: new Date(NOW_MS).toISOString(),
    type: "completion",
    v: 1,
  })}\n`;
}

test("findDecision() finds a record in any file, with its completion there or in the next", async (context) => {
  const [first, second] = [idAt(NOW_MS), idAt(NOW_MS + 10)];
  const older = segmentName(NOW_MS, "7");
  const folder = await folderOf(context, {
    [older]: decision(first) + completion(first) + decision(second),
    [segmentName(NOW_MS + 20, "7")]: completion(second),
    [segmentName(NOW_MS + 30, "8")]: decision(idAt(NOW_MS + 31)),
    "values.key": first,
  });
  const found = await findDecision(folder, first);
  assert.equal(found?.decision.decisionId, first);
  assert.equal(found.completion?.status, 404);
  assert.equal(found.file, older);
  const other = await findDecision(folder, second);
  assert.equal(other?.completion?.decisionId, second);
  assert.equal(await findDecision(folder, idAt(NOW_MS)), undefined);
  await compressSegment(folder, older);
  const compressed = await findDecision(folder, first);
  assert.equal(compressed?.completion?.status, 404);
  assert.equal(compressed.file, `${older}.gz`);
});

test("findDecision() finds a record that two blocks share, among lines longer than a record", async (context) => {
  const id = idAt(NOW_MS);
  const noise = decision(idAt(NOW_MS), { detail: "x".repeat(100_000) }).repeat(10);
  const endless = `${"y".repeat(3_000_000)}\n`;
  const text = `${noise}${decision(id)}${noise}${endless}`;
  const folder = await folderOf(context, { [segmentName(NOW_MS, "7")]: text });
  assert.equal((await findDecision(folder, id))?.decision.decisionId, id);
  await appendFile(join(folder, segmentName(NOW_MS, "7")), decision(idAt(NOW_MS + 5)));
});

test("findDecision() takes no torn line, no link, and no text that only looks like an id", async (context) => {
  const id = idAt(NOW_MS);
  const folder = await folderOf(context, {
    [segmentName(NOW_MS, "7")]: decision(id).trimEnd(),
    elsewhere: decision(id),
  });
  await symlink(join(folder, "elsewhere"), join(folder, segmentName(NOW_MS, "8")));
  await assert.rejects(findDecision(folder, id), { code: "audit-failed" });
  await rm(join(folder, segmentName(NOW_MS, "8")));
  assert.equal(await findDecision(folder, id), undefined);
  for (const text of ["", "..", '"', id.toLowerCase()]) {
    assert.equal(await findDecision(folder, text), undefined);
  }
});

test("findDecision() rejects with audit-failed for a record of another version, and a folder that is not there", async (context) => {
  const id = idAt(NOW_MS);
  const folder = await folderOf(context, { [segmentName(NOW_MS, "7")]: decision(id, { v: 2 }) });
  await assert.rejects(findDecision(folder, id), { code: "audit-failed" });
  await assert.rejects(findDecision(join(folder, "none"), id), { code: "audit-failed" });
});

test("decisionTime() is when the id was made", () => {
  assert.equal(decisionTime(idAt(NOW_MS)), NOW_MS);
  assert.equal(decisionTime("01KAT9T5KVH7Q2M4X8Z0R3B6C"), undefined);
});

/** A process that is killed at any point leaves a log that opens, and loses nothing that it acknowledged. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isRecordFault, parseRecord } from "../src/audit/record-schema.ts";
import { openLog, permit, readSegments, temporaryFolder } from "./audit-kit.ts";

const writer = fileURLToPath(new URL("audit-crash-writer.ts", import.meta.url));

/** After so many acknowledged decisions the process is killed. */
const KILL_AFTER = [1, 2, 7, 40, 200, 700];

for (const durability of ["strict", "batched"] as const) {
  test(`a log opens after kill -9 at many points (${durability})`, async (context) => {
    const folder = join(await temporaryFolder(context), "audit");
    const acknowledged: string[] = [];
    for (const [round, count] of KILL_AFTER.entries()) {
      const ids = await killedAfter(count, [folder, durability]);
      acknowledged.push(...ids.map((id) => `${round} ${id}`));
    }
    const found = new Set<string>();
    const segments = await readSegments(folder);
    assert.equal(segments.length, KILL_AFTER.length);
    for (const [round, { name, text }] of segments.entries()) {
      const lines = text.split("\n");
      // Behind the last line feed there is nothing, or a torn record.
      for (const line of lines.slice(0, -1)) {
        const entry = parseRecord(line);
        assert.ok(!isRecordFault(entry) && entry.type === "decision", `${name}: ${line}`);
        found.add(`${round} ${entry.requestId}`);
      }
    }
    if (durability === "strict") {
      assert.deepEqual(
        acknowledged.filter((id) => !found.has(id)),
        [],
      );
    }
    const { log, folder: same } = await openLog(context, {}, { folder });
    log.decision(permit());
    await log.close();
    assert.equal((await readSegments(same)).length, segments.length + 1);
  });
}

test("createAuditLog() reports the torn record of a killed process, and leaves it as it is", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  await killedAfter(3, [folder, "strict"]);
  const [segment] = await readSegments(folder);
  assert.ok(segment !== undefined);
  const before = segment.text.slice(0, segment.text.lastIndexOf("\n") + 1);
  const torn = segment.text.length - before.length;
  await appendFile(join(folder, segment.name), '{"authn":{"ageSec');
  const { log, events } = await openLog(context, {}, { folder });
  assert.deepEqual(log.torn, [{ file: segment.name, bytes: torn + 17 }]);
  assert.deepEqual(
    events.map(({ level, event }) => [level, event]),
    [["warn", "audit: an earlier file ends in a torn record"]],
  );
  log.decision(permit());
  await log.close();
  const same = (await readSegments(folder)).find(({ name }) => name === segment.name);
  assert.equal(same?.text, `${segment.text}{"authn":{"ageSec`);
});

/** What the process had acknowledged when it was killed. */
async function killedAfter(count: number, args: string[]): Promise<string[]> {
  const child = spawn(process.execPath, [writer, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const ids: string[] = [];
  for await (const id of createInterface({ input: child.stdout })) {
    ids.push(id);
    if (ids.length === count) child.kill("SIGKILL");
  }
  const [, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, "SIGKILL");
  return ids;
}

/**
 * A process that writes, seals and compresses is killed at many points: the log opens, and verifies.
 * SALLYPORT_KILLS sets how many there are.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isRecordFault, parseRecord } from "../src/audit/record-schema.ts";
import { temporaryFolder, until } from "./audit-kit.ts";
import { linesOf, openKeptLog, verified } from "./kept-log.ts";

const WRITER = fileURLToPath(new URL("audit-sealing-writer.ts", import.meta.url));

const LIMITS = {
  /** Kills in each durability, … */
  kills: Number(process.env["SALLYPORT_KILLS"] ?? "10"),
  /** … fewer, though, on a machine so busy that they take longer than these milliseconds. */
  killingMs: 120_000,
} as const;

/** After so many milliseconds of work, early and late in turn, and none at a round figure of any interval. */
function delayOf(kill: number): number {
  return (kill * 211) % 1531;
}

for (const durability of ["strict", "batched"] as const) {
  test(
    `a log that is sealed and compressed verifies after kill -9 at many points (${durability})`,
    { timeout: 280_000 },
    async (context) => {
      const folder = join(await temporaryFolder(context), "audit");
      const acknowledged: string[] = [];
      const untilMs = performance.now() + LIMITS.killingMs;
      let kill = 0;
      for (; kill < LIMITS.kills && performance.now() < untilMs; kill++) {
        acknowledged.push(...(await killedAfter(delayOf(kill), [folder, durability])));
        // Offline, beside what the crash left.
        const { faults, checkpoints } = await verified(folder);
        // The first kill of all comes before the first checkpoint: a log without one is not whole.
        const told =
          checkpoints === 0 ? faults.filter(({ kind }) => kind !== "checkpoint") : faults;
        assert.deepEqual(told, [], `after kill ${kill}`);
      }
      const { audit, keeping, lines, close } = await openKeptLog(folder, {});
      assert.equal(keeping.state, "running");
      await close();
      assert.deepEqual(
        lines.filter(({ level }) => level === "error"),
        [],
      );
      assert.ok(!audit.writable());
      const report = await verified(folder);
      assert.deepEqual(report.faults, []);
      const records = linesOf(folder);
      assert.equal(report.records, records.length);
      const found = new Set<string>();
      for (const line of records) {
        const record = parseRecord(line);
        assert.ok(!isRecordFault(record), line);
        if (record.type === "decision") found.add(record.requestId);
      }
      const lost = acknowledged.filter((id) => !found.has(id));
      if (durability === "strict") assert.deepEqual(lost, []);
      context.diagnostic(
        `${kill} kills, ${records.length} records, ${acknowledged.length} acknowledged, ${lost.length} of them lost, torn files: ${report.torn.length}`,
      );
    },
  );
}

test("a torn record of a killed process is an event of the log, and the checkpoint names its bytes", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  await killedAfter(50, [folder, "strict"]);
  const [segment = ""] = readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted()
    .slice(-1);
  const whole = tornBytes(folder, segment);
  appendFileSync(join(folder, segment), '{"authn":{"ageSec');
  const { close } = await openKeptLog(folder, {});
  const event = `"event":"torn-record","figures":{"bytes":${whole + 17},"file":"${segment}"}`;
  await until("the event", () => linesOf(folder).some((line) => line.includes(event)));
  await close();
  const report = await verified(folder);
  assert.deepEqual(report.faults, []);
  assert.ok(report.torn.some((one) => one.segment === segment && one.bytes === whole + 17));
});

function tornBytes(folder: string, segment: string): number {
  const bytes = readFileSync(join(folder, segment));
  return bytes.length - bytes.lastIndexOf(0x0a) - 1;
}

/** What the process had acknowledged when it was killed. */
async function killedAfter(ms: number, args: string[]): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const ids: string[] = [];
  for await (const id of createInterface({ input: child.stdout })) {
    if (ids.push(id) === 1) setTimeout(() => child.kill("SIGKILL"), ms);
  }
  const [, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, "SIGKILL");
  return ids;
}

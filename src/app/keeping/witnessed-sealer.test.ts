import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { KeptLog } from "../../../test/keys/kit.ts";
import { batchOf, decisionAt, SEGMENT } from "../../../test/signs-kit.ts";
import { startWitness } from "../../../test/witness-server.ts";
import { auditSchema } from "../../audit/audit-options.ts";
import { parseNote, readVkey, verifyNote } from "../../audit/tree/note.ts";
import { parseWitnessLine } from "../../audit/witness/witness-journal.ts";
import type { EventRecord } from "../../model/events.ts";
import type { RecordConsumer } from "../../model/record-feed.ts";
import { systemClock } from "../../platform/clock.ts";
import { systemTimers } from "../../platform/timers.ts";
import { createMetrics } from "../../telemetry/metrics.ts";
import { createWitnessedSealer } from "./witnessed-sealer.ts";

async function stage(t: TestContext) {
  const server = await startWitness("witness.example");
  t.after(() => server.close());
  const path = await mkdtemp(join(tmpdir(), "sallyport-witnessed-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  const { checkpoints } = auditSchema.parse({
    path,
    checkpoints: {
      origin: "log.example/audit",
      witnesses: [{ type: "tlog-witness", name: "w", url: server.url, key: server.vkey }],
    },
  });
  const events: EventRecord[] = [];
  const open = (): Promise<RecordConsumer> =>
    createWitnessedSealer(
      { path, checkpoints },
      {
        clock: systemClock,
        timers: systemTimers,
        log: new KeptLog(),
        metrics: createMetrics(),
        events: { event: (record) => void events.push(record) },
      },
    );
  return { server, path, events, open };
}

async function append(path: string, sealer: RecordConsumer, paths: readonly string[]) {
  const batch = batchOf(
    paths.map((each) => decisionAt(0, { path: each })),
    sealer.position(SEGMENT),
  );
  await writeFile(join(path, SEGMENT), batch.bytes, { flag: "a" });
  sealer.take(batch);
}

test("each checkpoint of the sealer is cosigned, the last one at its end", async (t) => {
  const { server, path, events, open } = await stage(t);
  const sealer = await open();
  await append(path, sealer, ["/1", "/2", "/3"]);
  await sealer.commit?.();
  await append(path, sealer, ["/4", "/5"]);
  await sealer.close?.();
  assert.equal(server.size, 5);
  const again = await open();
  await append(path, again, ["/6"]);
  await again.close?.();
  assert.equal(server.size, 6);
  assert.deepEqual(events, []);
  const lines = (await readFile(join(path, "tree", "witnesses.jsonl"), "utf8")).trim().split("\n");
  const checkpoints = (await readFile(join(path, "tree", "checkpoints.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly size: number; readonly note: string });
  const key = readVkey(server.vkey);
  for (const text of lines) {
    const line = parseWitnessLine(text);
    const note = checkpoints.find(({ size }) => size === line?.size)?.note ?? "";
    const whole = parseNote(note + (line?.cosignatures?.join("") ?? ""));
    assert.ok(verifyNote(whole, key));
  }
  assert.equal(parseWitnessLine(lines.at(-1) ?? "")?.size, 6);
});

test("a log that was begun anew under the same name is refused, and the alarm is on record", async (t) => {
  const { server, path, events, open } = await stage(t);
  const sealer = await open();
  await append(path, sealer, ["/1", "/2", "/3"]);
  await sealer.close?.();
  await rm(path, { recursive: true });
  await mkdir(path, { mode: 0o700 });
  const forged = await open();
  await append(path, forged, ["/1", "/other", "/3", "/4"]);
  await forged.close?.();
  assert.deepEqual(
    events.map(({ event }) => event),
    ["forked-log"],
  );
  assert.equal(server.size, 3);
});

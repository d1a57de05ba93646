import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENTS, type EventName } from "../model/events.ts";
import { NOW_MS, openLog, readRecords } from "../../test/audit-kit.ts";

test("event() writes a canonical record that reads back as it was given", async (t) => {
  const { log, folder } = await openLog(t);
  const names = Object.keys(EVENTS) as EventName[];
  for (const event of names) {
    log.event({
      timeMs: NOW_MS,
      event,
      detail: 'it "was" so',
      principal: "corp/ada",
      address: "192.0.2.0/24",
      decisions: ["01KAT9T5KVH7Q2M4X8Z0R3B6CD"],
      figures: { window: "10s", count: 12 },
    });
  }
  log.event({ timeMs: NOW_MS, event: "torn-record", detail: "a file ends in 17 bytes" });
  await log.close();
  const records = await readRecords(folder);
  assert.deepEqual(
    records.map((record) => record.type === "event" && record.event),
    [...names, "torn-record"],
  );
  assert.deepEqual(records[0], {
    address: "192.0.2.0/24",
    decisions: ["01KAT9T5KVH7Q2M4X8Z0R3B6CD"],
    detail: 'it "was" so',
    event: names[0],
    figures: { count: 12, window: "10s" },
    principal: "corp/ada",
    time: "2026-11-24T04:05:06.123Z",
    type: "event",
    v: 1,
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { completion, openLog, permit, readRecords, readSegments } from "../../test/audit-kit.ts";

test("createAuditLog() writes a decision and its completion as lines of one file", async (context) => {
  const { log, folder } = await openLog(context);
  assert.equal(log.writable(), true);
  assert.equal(log.decision(permit()), "recorded");
  log.completion(completion());
  assert.equal(log.durable(), undefined);
  await log.close();
  const [segment, ...others] = await readSegments(folder);
  assert.deepEqual(others, []);
  assert.match(segment?.name ?? "", /^audit-20261124T040506\.123Z-\d+\.jsonl$/);
  const records = await readRecords(folder);
  assert.deepEqual(
    records.map((record) => record.type),
    ["decision", "completion"],
  );
});

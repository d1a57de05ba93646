import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NOW_MS } from "../../../test/audit-kit.ts";
import {
  idOf,
  linesOf,
  logFolder,
  request,
  segmentName,
  writeSegment,
} from "../../../test/search-ground.ts";
import { readFilter } from "./read-filter.ts";
import { LogTail, type TailedRecord } from "./tail-log.ts";

const ids = (records: readonly TailedRecord[]) =>
  records.map(({ record }) => ("decisionId" in record ? record.decisionId : record.type));

test("LogTail gives the last records of all segments, then each that comes once", async (context) => {
  const folder = logFolder(context);
  const [first, second] = [segmentName(0, "1"), segmentName(0, "2")];
  writeSegment(folder, first, [request(1)[0], request(3)[0]]);
  writeSegment(folder, second, [request(2)[0], request(4)[0]]);
  const filter = readFilter({ decision: "permit" }, NOW_MS);
  const tail = new LogTail(folder, { filter, lines: 3 });
  assert.deepEqual(ids(await tail.last()), [idOf(2), idOf(3), idOf(4)]);
  const next = async () => {
    const records: TailedRecord[] = [];
    for await (const some of tail.next()) records.push(...some);
    return ids(records);
  };
  assert.deepEqual(await next(), []);
  const line = linesOf([request(5)[0]]);
  appendFileSync(join(folder, first), line.subarray(0, 9));
  assert.deepEqual(await next(), [], "half a line is none");
  appendFileSync(join(folder, first), line.subarray(9));
  // A segment that begins later, and one of what is not asked for.
  writeSegment(folder, segmentName(1, "3"), [request(6)[0], request(7, { decision: "deny" })[0]]);
  assert.deepEqual(await next(), [idOf(5), idOf(6)]);
  assert.deepEqual(await next(), []);
});

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
import { csvLine } from "../../wire/csv.ts";
import { exportLog } from "./export-log.ts";
import { readFilter, type FilterInput } from "./read-filter.ts";

async function exported(folder: string, input: FilterInput, format: "jsonl" | "csv") {
  let text = "";
  const write = (more: string): Promise<void> => {
    text += more;
    return Promise.resolve();
  };
  const done = await exportLog(folder, { filter: readFilter(input, NOW_MS), format, write });
  return { ...done, text };
}

test("exportLog() gives every record of the time byte for byte, and says what it left out", async (context) => {
  const folder = logFolder(context);
  writeSegment(folder, segmentName(0), [...request(1), ...request(2)], { packed: true });
  writeSegment(folder, segmentName(1), request(3));
  appendFileSync(join(folder, segmentName(1)), '{"v":2}\n{"torn');
  const all = await exported(folder, {}, "jsonl");
  assert.equal(all.text, linesOf([...request(1), ...request(2), ...request(3)]).toString("utf8"));
  assert.deepEqual([all.files, all.records, all.faults], [2, 6, 1]);
  const [from, to] = [2, 3].map((second) => new Date(NOW_MS + second * 1000).toISOString());
  const some = await exported(folder, { from, to }, "jsonl");
  assert.equal(some.text, linesOf(request(2)).toString("utf8"));
});

test("exportLog() refuses a folder that is no log, before it writes anything", async (context) => {
  const folder = logFolder(context);
  const wrote: string[] = [];
  const write = (text: string): Promise<void> => Promise.resolve(void wrote.push(text));
  const done = exportLog(folder, { filter: readFilter({}, NOW_MS), format: "csv", write });
  await assert.rejects(done, /holds no audit-\*\.jsonl/);
  assert.deepEqual(wrote, []);
});

test("exportLog() writes CSV of which no cell is a formula", async (context) => {
  const folder = logFolder(context);
  writeSegment(folder, segmentName(0), [request(1, { path: '/a,"b"', requestId: "=1+1" })[0]]);
  const { text } = await exported(folder, {}, "csv");
  const [header, row, end] = text.split("\r\n");
  assert.match(header ?? "", /^time,type,decisionId,decision,reason,principal,/);
  assert.ok(row?.startsWith(`2026-11-24T04:05:07.123Z,decision,${idOf(1)},permit,permitted,corp/`));
  assert.match(row ?? "", /,"\/a,""b""",page=\*&token=\*,192\.0\.2\.7,,'=1\+1,/);
  assert.equal(end, "");
  assert.equal(csvLine(["@x", -1, "a\nb", undefined]), '\'@x,-1,"a\nb",\r\n');
});

/** Folders with segments of known records, and what a search of them finds. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { Lines } from "../src/audit/lines.ts";
import { createQueryMask } from "../src/audit/query-mask.ts";
import { type FilterInput, readBefore, readFilter } from "../src/audit/search/read-filter.ts";
import { searchLog, type SearchResult } from "../src/audit/search/search-log.ts";
import { Serializer } from "../src/audit/serialize.ts";
import { createValueHash } from "../src/audit/value-hash.ts";
import type { EventRecord } from "../src/model/events.ts";
import type { CompletionRecord, DecisionRecord } from "../src/model/records.ts";
import { completion, NOW_MS, permit } from "./audit-kit.ts";

export function logFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-search-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, "audit");
  mkdirSync(log, { mode: 0o700 });
  return log;
}

export type Written = DecisionRecord | CompletionRecord | EventRecord;

/** The lines of these records. */
export function linesOf(records: readonly Written[]): Buffer {
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: "masked", keep: [] }),
    hash: createValueHash(new Uint8Array(32)),
  });
  const lines = new Lines(1024);
  for (const record of records) {
    if ("event" in record) serializer.event(lines, record);
    else if ("end" in record) serializer.completion(lines, record);
    else serializer.decision(lines, record, record.principal === undefined);
    lines.end();
  }
  return Buffer.from(lines.copy());
}

/** Name of a segment that begins so many minutes after NOW_MS. */
export function segmentName(minutes: number, instance = "1"): string {
  const start = new Date(NOW_MS + minutes * 60_000).toISOString().replaceAll(/[-:]/g, "");
  return `audit-${start}-${instance}.jsonl`;
}

export function writeSegment(
  folder: string,
  name: string,
  records: readonly Written[],
  { packed = false } = {},
): void {
  const bytes = linesOf(records);
  if (packed) writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes));
  else writeFileSync(join(folder, name), bytes, { flag: "a" });
}

/** A decision with an id of its own, so many seconds after NOW_MS, and the end of its request. */
export function request(
  second: number,
  changes: Partial<DecisionRecord> = {},
): [DecisionRecord, CompletionRecord] {
  const decisionId = idOf(second);
  const timeMs = NOW_MS + second * 1000;
  return [
    permit({ decisionId, timeMs, ...changes }),
    completion({ decisionId, timeMs: timeMs + 7 }),
  ];
}

export function idOf(second: number): string {
  return `01KAT9T5KVH7Q2M4X8Z${String(second).padStart(7, "0")}`;
}

export interface Asked extends FilterInput {
  readonly limit?: number;
  readonly before?: string;
}

export async function search(folder: string, asked: Asked = {}): Promise<SearchResult> {
  const filter = readFilter(asked, NOW_MS);
  const before = readBefore(asked.before, NOW_MS);
  const deps = { monotonic: () => 0, said: () => undefined };
  return await searchLog(folder, { filter, limit: asked.limit ?? 100, before }, deps);
}

/** Decision ids, or names of events. */
export function found({ records }: SearchResult): readonly string[] {
  return records.map(({ record }) => {
    if (record.type === "event") return record.event;
    return "decisionId" in record ? record.decisionId : record.type;
  });
}

/** What tests of reading the log back share: segments that they write themselves, and a consumer that keeps what it is given. */
import { appendFile, mkdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { compressedName, segmentName } from "../src/audit/segment-names.ts";
import type { RecordBatch, RecordConsumer, SegmentEnd } from "../src/model/record-feed.ts";
import { NOW_MS, temporaryFolder } from "./audit-kit.ts";

export { createMetrics, type RunningMetrics } from "../src/telemetry/metrics.ts";

export function line(text: string): string {
  return `${JSON.stringify({ type: "summary", counts: [], from: TIME, time: TIME, text, v: 1 })}\n`;
}

const TIME = "2026-11-24T04:05:16.000Z";

export class SegmentGround {
  readonly folder: string;
  /** Process ids that are there. */
  readonly alive = new Set<number>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Appends lines to the segment that began `at` milliseconds after the first one. */
  async append(at: number, instance: string, text: string): Promise<string> {
    const name = segmentName(NOW_MS + at, instance);
    await appendFile(join(this.folder, name), text);
    return name;
  }

  async compress(segment: string): Promise<void> {
    const path = join(this.folder, segment);
    const draft = join(this.folder, "draft");
    await writeFile(draft, gzipSync(await readFile(path)), { mode: 0o600 });
    await rename(draft, join(this.folder, compressedName(segment)));
    await unlink(path);
  }
}

export async function segmentGround(context: TestContext): Promise<SegmentGround> {
  const folder = join(await temporaryFolder(context), "audit");
  await mkdir(folder, { mode: 0o700 });
  return new SegmentGround(folder);
}

/** Keeps its lines by segment; fails when told to. */
export class KeepingConsumer implements RecordConsumer {
  readonly name: string;
  readonly positions = new Map<string, number>();
  readonly taken = new Map<string, string>();
  readonly parsed: unknown[] = [];
  readonly ends: SegmentEnd[] = [];
  /** Offsets of its batches. */
  readonly batches: number[] = [];
  commits = 0;
  fault: Error | undefined;
  commitFault: Error | undefined;

  constructor(name: string) {
    this.name = name;
  }

  position(segment: string): number {
    return this.positions.get(segment) ?? 0;
  }

  take(batch: RecordBatch): void {
    if (this.fault !== undefined) throw this.fault;
    const text = Buffer.from(batch.bytes).toString("utf8");
    this.taken.set(batch.segment, (this.taken.get(batch.segment) ?? "") + text);
    this.batches.push(batch.offset);
    this.parsed.push(...batch.entries());
  }

  ended(end: SegmentEnd): void {
    this.ends.push(end);
  }

  commit(): void {
    if (this.commitFault !== undefined) throw this.commitFault;
    this.commits += 1;
  }
}

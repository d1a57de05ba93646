/** What the tests of the tree share: a folder with segments, and a sealer that is given them as they stand. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { checkpointSchema } from "../src/audit/tree/checkpoint-options.ts";
import {
  createSealer,
  type Sealer,
  type SealerDeps,
  type SealerOptions,
} from "../src/audit/tree/sealer.ts";
import type { EventRecord } from "../src/model/events.ts";
import type { RecordBatch } from "../src/model/record-feed.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { createMetrics, type RunningMetrics } from "../src/telemetry/metrics.ts";
import { keepingLog, type LoggedEvent, NOW_MS, temporaryFolder } from "./audit-kit.ts";

export interface TreeGround {
  readonly folder: string;
  readonly clock: ManualClock;
  readonly events: LoggedEvent[];
  readonly recorded: EventRecord[];
  readonly metrics: RunningMetrics;
  /** Appends lines to a segment. */
  write(segment: string, lines: readonly string[]): void;
  open(changes?: Partial<SealerOptions>, deps?: Partial<SealerDeps>): Promise<Sealer>;
}

export async function treeGround(context: TestContext): Promise<TreeGround> {
  const folder = join(await temporaryFolder(context), "audit");
  mkdirSync(folder, { mode: 0o700 });
  const clock = new ManualClock(NOW_MS);
  const log = keepingLog();
  const metrics = createMetrics();
  const recorded: EventRecord[] = [];
  return {
    folder,
    clock,
    events: log.events,
    recorded,
    metrics,
    write(segment, lines) {
      appendFileSync(join(folder, segment), lines.map((line) => `${line}\n`).join(""), {
        mode: 0o600,
      });
    },
    open: (changes = {}, deps = {}) => {
      const options = { ...checkpointSchema.parse({}), path: folder, ...changes };
      const events = { event: (record: EventRecord) => void recorded.push(record) };
      return createSealer(options, { clock, log, metrics: createMetrics(), events, ...deps });
    },
  };
}

/** Gives a sealer what it does not have of a segment yet, in batches of at most `most` lines. */
export function feed(sealer: Sealer, folder: string, segment: string, most = Infinity): void {
  const path = join(folder, segment);
  if (!existsSync(path)) return;
  const offset = sealer.position(segment);
  const bytes = readFileSync(path).subarray(offset);
  const lines = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
  for (let at = 0; at < lines.length;) {
    let [end, count] = [at, 0];
    while (end < lines.length && count < most)
      [end, count] = [lines.indexOf(0x0a, end) + 1, count + 1];
    sealer.take(batch(segment, offset + at, lines.subarray(at, end)));
    at = end;
  }
}

export function batch(segment: string, offset: number, bytes: Uint8Array): RecordBatch {
  const count = bytes.filter((byte) => byte === 0x0a).length;
  return { segment, offset, bytes, count, entries: () => [] };
}

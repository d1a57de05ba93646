/** What tests of the signs share: decisions as they stand in the log, and a stage that keeps what is said. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { EventRecord } from "../src/model/events.ts";
import type { DecisionLine, RecordBatch, RecordLine } from "../src/model/record-feed.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { ManualTimers } from "../src/platform/timers.ts";
import type { SignAnswer } from "../src/telemetry/signs/answers.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { createSigns, type SignsDeps } from "../src/telemetry/signs/signs.ts";
import { signsSchema } from "../src/telemetry/signs/signs-options.ts";
import { KeptLog } from "./keys/kit.ts";

export const START_MS = Date.UTC(2026, 10, 24, 4, 5, 6, 0);
export const SEGMENT = "audit-20261124T040506.000Z-17.jsonl";

/** `undefined` leaves a member out. */
export type Changes = { readonly [K in keyof DecisionLine]?: DecisionLine[K] | undefined };

let decisions = 0;

/** Of a workload that is let in, when nothing else is said. */
export function decisionAt(afterMs: number, changes: Changes = {}): DecisionLine {
  decisions += 1;
  const line: Changes = {
    type: "decision",
    credentials: [{ hash: "hash-of-ada", kind: "bearer", outcome: "used" }],
    decision: "permit",
    decisionId: `D${String(decisions).padStart(25, "0")}`,
    listener: "edge",
    method: "GET",
    path: "/items/1",
    peerAddress: "192.0.2.7",
    principal: { authenticator: "corp", kind: "workload", subject: "ada" },
    reason: "permitted",
    requestId: "r",
    route: "items",
    service: "items",
    time: new Date(START_MS + afterMs).toISOString(),
    ...changes,
  };
  // Absent is absent.
  const there = Object.entries(line).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there) as unknown as DecisionLine;
}

/** A stranger with a bad credential. */
export const STRANGER: Changes = {
  decision: "deny",
  reason: "invalid-signature",
  principal: undefined,
  credentials: [{ hash: "bad", kind: "bearer", outcome: "refused" }],
};

export const ALL_OFF = {
  refusalBurst: "off",
  newNetwork: "off",
  impossibleRate: "off",
  revokedCredential: "off",
  replayedProof: "off",
  routeProbing: "off",
  twoPlaces: "off",
} as const;

export function openSigns(
  options: Parameters<typeof signsSchema.parse>[0],
  given: { readonly folder: string; readonly exchange?: SignsDeps["exchange"] },
) {
  const clock = new ManualClock(START_MS);
  const timers = new ManualTimers();
  const log = new KeptLog();
  const metrics = createMetrics();
  const events: EventRecord[] = [];
  const answers: SignAnswer[] = [];
  const signs = createSigns(signsSchema.parse(options), given.folder, {
    clock,
    timers,
    log,
    metrics,
    events: { event: (record) => void events.push(record) },
    random: () => 1,
    answer: (answer) => void answers.push(answer),
    ...(given.exchange && { exchange: given.exchange }),
  });
  let offset = 0;
  return {
    signs,
    clock,
    timers,
    log,
    metrics,
    events,
    answers,
    take: (...lines: readonly RecordLine[]) => {
      const batch = batchOf(lines, offset);
      offset += batch.bytes.length;
      signs.take(batch);
    },
    said: () => events.map(({ event }) => event),
  };
}

export function batchOf(lines: readonly RecordLine[], offset = 0, segment = SEGMENT): RecordBatch {
  const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return { segment, offset, bytes, count: lines.length, entries: () => lines };
}

export function signsFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-signs-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

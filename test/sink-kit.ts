/** What the tests of sinks share: a log that grows, receivers that do as they are told, what was said. */
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { auditSchema, type AuditInput } from "../src/audit/audit-options.ts";
import { openSinks } from "../src/audit/sinks/sinks.ts";
import type { EventRecord } from "../src/model/events.ts";
import type { Log, LogFields } from "../src/model/ports.ts";
import type { RecordConsumer } from "../src/model/record-feed.ts";
import { systemClock } from "../src/platform/clock.ts";
import { systemTimers } from "../src/platform/timers.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";

const LIMITS = {
  /** Milliseconds that only a failing test waits. */
  patience: 60_000,
  poll: 10,
} as const;

/** Of this very process, so it counts as growing. */
export const SEGMENT = `audit-20261124T040506.123Z-${process.pid}.jsonl`;

export function decisionLine(number: number, more: object = {}): string {
  return JSON.stringify({
    decision: number % 10 === 9 ? "deny" : "permit",
    decisionId: `d${number}`,
    listener: "edge",
    method: "GET",
    path: `/things/${number}`,
    peerAddress: "192.0.2.7",
    principal: { authenticator: "corp", kind: "workload", subject: "payments" },
    reason: number % 10 === 9 ? "no-permit" : "permitted",
    requestId: "r",
    route: "things",
    time: "2026-11-24T04:05:06.123Z",
    type: "decision",
    v: 1,
    ...more,
  });
}

export function completionLine(number: number, more: object = {}): string {
  return JSON.stringify({
    decisionId: `d${number}`,
    durationMs: 12.5,
    end: "complete",
    requestBytes: 0,
    responseBytes: 130,
    status: 200,
    time: "2026-11-24T04:05:06.140Z",
    type: "completion",
    upstream: "http://127.0.0.1:9001",
    upstreamMs: 11.25,
    v: 1,
    ...more,
  });
}

export interface GrowingLog {
  readonly folder: string;
  append(lines: readonly string[], segment?: string): void;
}

export function growingLog(t: TestContext): GrowingLog {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sinks-"));
  // Held open, as by who writes it: otherwise it counts as ended.
  const held = openSync(join(folder, SEGMENT), "a", 0o600);
  t.after(() => {
    closeSync(held);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    append: (lines, segment = SEGMENT) =>
      appendFileSync(join(folder, segment), lines.map((line) => `${line}\n`).join("")),
  };
}

export interface RunningSinks {
  readonly consumer: RecordConsumer;
  readonly events: readonly EventRecord[];
  readonly said: readonly { readonly event: string; readonly fields: LogFields }[];
  /** Of one series, such as `lag_bytes{sink="hook"}`; undefined where there is none. */
  metric(series: string): number | undefined;
}

export async function runSinks(
  t: TestContext,
  folder: string,
  sinks: NonNullable<AuditInput["sinks"]>,
): Promise<RunningSinks> {
  const options = auditSchema.parse({ path: folder, sinks });
  const metrics = createMetrics();
  const events: EventRecord[] = [];
  const said: { event: string; fields: LogFields }[] = [];
  const say = (event: string, fields: LogFields = {}): void => {
    said.push({ event, fields });
  };
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const consumer = await openSinks(options, {
    clock: systemClock,
    timers: systemTimers,
    log,
    metrics,
    events: { event: (record) => void events.push(record) },
    random: () => 0.5,
    version: "1.2.3",
    instance: "test",
  });
  t.after(async () => await consumer.close?.());
  return {
    consumer,
    events,
    said,
    metric(series) {
      const text = metrics.render().body;
      const line = text
        .split("\n")
        .find((one) => one.startsWith(`sallyport_audit_sink_${series} `));
      return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
    },
  };
}

export interface Received {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** What it does with what comes next. */
  answer: (response: ServerResponse, request: Received, number: number) => void;
  close(): Promise<void>;
}

/** Answers 200 until it is told otherwise. */
export async function receiver(t: TestContext, port = 0): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("error", () => undefined);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url = "", headers } = request;
      const one = { url, headers, body: Buffer.concat(chunks) };
      received.push(one);
      self.answer(response, one, received.length);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  const self: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (response) => response.writeHead(200).end("{}"),
    close,
  };
  return self;
}

/** Waits for what must happen; only a failing test waits long. */
export async function until(holds: () => boolean, what: () => string = () => ""): Promise<void> {
  const deadline = performance.now() + LIMITS.patience;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`did not happen: ${what()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, LIMITS.poll);
    });
  }
}

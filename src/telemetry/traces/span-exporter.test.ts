import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { recordedLog } from "../../../test/ports.ts";
import { ManualClock } from "../../platform/clock.ts";
import type { OtlpOutcome } from "../../platform/otlp-http.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { createMetrics } from "../metrics.ts";
import type { Span } from "./span.ts";
import { spanCounters, SpanExporter } from "./span-exporter.ts";

const TAKEN: OtlpOutcome = { kind: "accepted", rejected: 0, words: undefined };
const AWAY: OtlpOutcome = { kind: "retry", why: "answered 503", afterMs: undefined };

function fixture(answer: (tries: number) => OtlpOutcome | Promise<OtlpOutcome>, queue = 1000) {
  const clock = new ManualClock(1_800_000_000_000);
  const timers = new ManualTimers();
  const metrics = createMetrics();
  const log = recordedLog();
  const bodies: string[] = [];
  const exporter = new SpanExporter(
    {
      url: "http://127.0.0.1:4318/v1/traces",
      headers: {},
      compression: "none",
      timeoutMs: 1000,
      intervalMs: 5000,
      queue,
      serviceName: "edge",
      resource: { "deployment.environment.name": "test" },
    },
    {
      clock,
      timers,
      log,
      random: () => 1,
      counters: spanCounters(metrics),
      version: "1.2.3",
      instance: "here-1",
      post: async (_target, body) => {
        bodies.push(body);
        return await answer(bodies.length);
      },
    },
  );
  const counts = (): Record<string, number> =>
    Object.fromEntries(
      [...metrics.render().body.matchAll(/spans_total\{outcome="(\w+)"\} (\d+)/g)].map(
        ([, outcome, count]) => [String(outcome), Number(count)],
      ),
    );
  return { exporter, clock, timers, bodies, counts, log };
}

function span(name = "GET"): Span {
  return {
    traceId: "1".repeat(32),
    spanId: "2".repeat(16),
    parentId: undefined,
    remote: false,
    tracestate: undefined,
    name,
    kind: "server",
    startMs: 1_800_000_000_000.25,
    endMs: 1_800_000_000_001.5,
    attributes: { "http.request.method": "GET", absent: undefined },
    failed: false,
  };
}

/** Lets promises that are settled be heard. */
async function turns(): Promise<void> {
  for (let index = 0; index < 5; index++) await setImmediate();
}

test("SpanExporter sends what came within the interval as one export", async () => {
  const { exporter, timers, bodies, counts } = fixture(() => TAKEN);
  exporter.add([span("a"), span("b")]);
  exporter.add([span("c")]);
  assert.deepEqual(timers.delays, [5000]);
  timers.runAll();
  await turns();
  assert.equal(bodies.length, 1);
  const sent = JSON.parse(String(bodies[0])) as Record<string, never>;
  assert.deepEqual(sent, {
    resourceSpans: [
      {
        resource: {
          attributes: [
            { key: "service.name", value: { stringValue: "edge" } },
            { key: "service.version", value: { stringValue: "1.2.3" } },
            { key: "service.instance.id", value: { stringValue: "here-1" } },
            { key: "deployment.environment.name", value: { stringValue: "test" } },
          ],
        },
        scopeSpans: [
          {
            scope: { name: "sallyport", version: "1.2.3" },
            spans: ["a", "b", "c"].map((name) => ({
              traceId: "1".repeat(32),
              spanId: "2".repeat(16),
              flags: 0x101,
              name,
              kind: 2,
              startTimeUnixNano: "1800000000000250000",
              endTimeUnixNano: "1800000000001500000",
              attributes: [{ key: "http.request.method", value: { stringValue: "GET" } }],
            })),
          },
        ],
      },
    ],
  });
  assert.equal(counts()["exported"], 3);
  assert.equal(exporter.size, 0);
});

test("SpanExporter sends a full batch at once, and never a larger one", async () => {
  const { exporter, bodies, timers } = fixture(() => TAKEN, 10_000);
  exporter.add(Array.from({ length: 1100 }, () => span()));
  await turns();
  assert.deepEqual(
    bodies.map((body) => body.split('"traceId"').length - 1),
    [512, 512],
  );
  timers.runAll();
  await turns();
  assert.equal(bodies.length, 3);
});

test("SpanExporter cuts a batch at a million characters", async () => {
  const { exporter, bodies } = fixture(() => TAKEN, 10_000);
  exporter.add(Array.from({ length: 512 }, () => span("x".repeat(10_000))));
  await turns();
  assert.ok(bodies.length > 0);
  for (const body of bodies) assert.ok(body.length < 1024 * 1024 + 2000);
});

test("SpanExporter tries again after a while, longer each time, and as Retry-After says", async () => {
  const { exporter, timers, bodies, counts, log } = fixture((tries) => {
    if (tries === 3) return { kind: "retry", why: "answered 429", afterMs: 60_000 };
    return tries < 5 ? AWAY : TAKEN;
  });
  exporter.add([span()]);
  const waits: number[] = [];
  for (let tries = 1; tries <= 5; tries++) {
    timers.runAll();
    await turns();
    assert.equal(bodies.length, tries);
    waits.push(...timers.delays);
  }
  assert.deepEqual(waits, [1000, 2000, 60_000, 8000]);
  assert.equal(new Set(bodies).size, 1);
  assert.deepEqual(counts(), { exported: 1, rejected: 0, dropped: 0 });
  assert.equal(log.lines.length, 2);
  assert.match(String(log.lines[0]), /^warn traces do not reach the collector .*answered 503/);
  assert.match(String(log.lines[1]), /^info traces reach the collector again/);
});

test("SpanExporter waits no longer than two minutes, whatever the collector says", async () => {
  const { exporter, timers } = fixture(() => ({ kind: "retry", why: "", afterMs: 86_400_000 }));
  exporter.add([span()]);
  timers.runAll();
  await turns();
  assert.deepEqual(timers.delays, [120_000]);
});

test("SpanExporter gives a batch up in the end, and goes on with what came meanwhile", async () => {
  const { exporter, timers, bodies, counts } = fixture((tries) => (tries <= 8 ? AWAY : TAKEN));
  exporter.add([span("old")]);
  for (let tries = 0; tries < 8; tries++) {
    timers.runAll();
    await turns();
  }
  exporter.add([span("new")]);
  timers.runAll();
  await turns();
  assert.equal(bodies.length, 9);
  assert.ok(bodies[8]?.includes('"new"') === true && !bodies[8].includes('"old"'));
  assert.deepEqual(counts(), { exported: 1, rejected: 0, dropped: 1 });
});

test("SpanExporter does not send again what is refused, and counts what was not taken", async () => {
  const { exporter, timers, bodies, counts } = fixture((tries) =>
    tries === 1
      ? { kind: "refused", why: "answered 400", status: 400 }
      : { kind: "accepted", rejected: 1, words: "too old" },
  );
  for (let index = 0; index < 2; index++) {
    exporter.add([span(), span()]);
    timers.runAll();
    await turns();
  }
  assert.equal(bodies.length, 2);
  assert.deepEqual(counts(), { exported: 1, rejected: 3, dropped: 0 });
});

test("SpanExporter drops what it has no room for, spans of one request together", async () => {
  const never = new Promise<OtlpOutcome>(() => undefined);
  const { exporter, timers, counts } = fixture(() => never, 4);
  exporter.add([span(), span(), span()]);
  timers.runAll();
  exporter.add([span(), span()]);
  exporter.add([span()]);
  exporter.add([span()]);
  assert.equal(exporter.size, 4);
  assert.equal(counts()["dropped"], 3);
});

test("close() sends what waits at once", async () => {
  const { exporter, bodies } = fixture(() => TAKEN);
  exporter.add([span()]);
  await exporter.close();
  assert.equal(bodies.length, 1);
});

test("close() ends a pause between two tries, and drops what then is not taken", async () => {
  const { exporter, timers, bodies, clock, counts } = fixture(() => AWAY);
  exporter.add([span()]);
  timers.runAll();
  await turns();
  exporter.add([span()]);
  const closed = exporter.close();
  clock.advance(3000);
  await closed;
  assert.equal(bodies.length, 2);
  assert.equal(counts()["dropped"], 2);
});

test("close() waits no longer than its bound for a collector that is silent", async () => {
  const never = new Promise<OtlpOutcome>(() => undefined);
  const { exporter, timers, counts } = fixture(() => never);
  exporter.add([span()]);
  timers.runAll();
  exporter.add([span()]);
  const closed = exporter.close();
  timers.runFirst((ms) => ms === 3000);
  await closed;
  assert.equal(counts()["dropped"], 1);
});

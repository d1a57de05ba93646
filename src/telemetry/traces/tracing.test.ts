import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../../test/ports.ts";
import { ManualClock } from "../../platform/clock.ts";
import type { OtlpTarget } from "../../platform/otlp-http.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { parseTraceparent } from "../../wire/traceparent.ts";
import { createMetrics } from "../metrics.ts";
import { endTrace } from "./ended-trace.ts";
import {
  type RequestTrace,
  spansOf,
  traceIdOf,
  traceparentOf,
  traceresponseOf,
} from "./request-trace.ts";
import { tracingSchema } from "./trace-options.ts";
import { createTracing } from "./tracing.ts";

/** Low 56 bits of all ones: kept at any rate but 0. */
const HIGH = `${"1".repeat(18)}${"f".repeat(14)}`;
/** Kept at no rate but 1. */
const LOW = `${"1".repeat(18)}${"0".repeat(14)}`;
const PARENT = "00f067aa0ba902b7";

function fixture(options: object | undefined) {
  const clock = new ManualClock(1_800_000_000_000);
  const timers = new ManualTimers();
  const metrics = createMetrics();
  const bodies: string[] = [];
  const targets: OtlpTarget[] = [];
  const tracing = createTracing({
    clock,
    timers,
    metrics,
    log: recordedLog(),
    random: () => 0.5,
    readFile: (path) => Buffer.from(`authority of ${path}`),
    version: "1.2.3",
    instance: "here-1",
    post: async (target, body) => {
      targets.push(target);
      bodies.push(body);
      return { kind: "accepted", rejected: 0, words: undefined };
    },
  });
  const otlp = { endpoint: "http://127.0.0.1:4318" };
  if (options !== undefined) tracing.adjust(tracingSchema.parse({ otlp, ...options }));
  const begin = (...fields: string[]): RequestTrace | undefined =>
    tracing.begin({
      head: { fields },
      connection: { listener: "edge" },
      receivedAt: clock.monotonic(),
    });
  const limited = (bound: string): number =>
    Number(
      new RegExp(`limited_total\\{bound="${bound}"\\} (\\d+)`).exec(metrics.render().body)?.[1] ??
        0,
    );
  return { tracing, begin, clock, timers, bodies, targets, limited };
}

function incoming(traceId: string, flags: string): [string, string] {
  return ["traceparent", `00-${traceId}-${PARENT}-${flags}`];
}

test("begin() without a configuration passes contexts on as they came, and tells nobody", () => {
  const { begin, tracing } = fixture(undefined);
  assert.equal(begin("accept", "*/*"), undefined);
  assert.equal(begin("traceparent", "junk", "tracestate", "a=1"), undefined);
  const trace = begin(...incoming(HIGH, "01"), "tracestate", "a=1");
  assert.equal(traceIdOf(trace), HIGH);
  assert.equal(traceparentOf(trace), `00-${HIGH}-${PARENT}-01`);
  assert.equal(typeof trace === "object" && trace.tracestate, "a=1");
  assert.deepEqual(traceresponseOf(trace), []);
  assert.equal(spansOf(trace), undefined);
  assert.equal(tracing.keep(trace, ["denied", "errors"], 0), trace);
});

test("begin() of a trace that is not sampled is a text, and names it in the answer alone", () => {
  const { begin } = fixture({ sample: 0 });
  const trace = begin();
  assert.ok(typeof trace === "string");
  assert.equal(parseTraceparent(trace)?.sampled, false);
  assert.equal(traceIdOf(trace), undefined);
  assert.deepEqual(traceresponseOf(trace), ["traceresponse", trace]);
});

test("begin() of a trace that is sampled records it, and says so", () => {
  const { begin } = fixture({ sample: "100%" });
  const trace = begin();
  const spans = spansOf(trace);
  assert.ok(spans !== undefined);
  assert.equal(traceIdOf(trace), spans.traceId);
  assert.deepEqual(traceresponseOf(trace), ["traceresponse", spans.traceparent]);
  assert.deepEqual(parseTraceparent(spans.traceparent), {
    traceId: spans.traceId,
    parentId: spans.spanId,
    sampled: true,
  });
});

test("begin() samples the share that it is told to", () => {
  const { begin } = fixture({ sample: "5%" });
  let sampled = 0;
  for (let index = 0; index < 20_000; index++) if (spansOf(begin()) !== undefined) sampled++;
  // Ten standard deviations (31) to either side.
  assert.ok(sampled > 690 && sampled < 1310, `${sampled} of 20000`);
});

const TRUST = [
  { trust: false, id: HIGH, flags: "00", sampled: true },
  { trust: false, id: LOW, flags: "01", sampled: false },
  { trust: true, id: LOW, flags: "01", sampled: true },
  { trust: true, id: HIGH, flags: "00", sampled: false },
  { trust: ["edge"], id: LOW, flags: "01", sampled: true },
  { trust: ["mesh"], id: LOW, flags: "01", sampled: false },
  { trust: ["mesh"], id: HIGH, flags: "00", sampled: true },
] as const;

for (const { trust, id, flags, sampled } of TRUST) {
  const which = `trustIncoming ${JSON.stringify(trust)}, flags ${flags}, a ${id === HIGH ? "high" : "low"} id`;
  test(`begin() with ${which} ${sampled ? "samples" : "does not sample"}, and hands that on`, () => {
    const { begin } = fixture({ sample: "1%", trustIncoming: trust });
    const trace = begin(...incoming(id, flags));
    assert.equal(traceIdOf(trace), id);
    assert.equal(spansOf(trace) !== undefined, sampled);
    assert.equal(parseTraceparent(traceparentOf(trace) ?? "")?.sampled, sampled);
    // Nothing of ours stands between the caller's span and the service's, unless it is recorded.
    const parent = parseTraceparent(traceparentOf(trace) ?? "")?.parentId;
    assert.equal(parent === PARENT, !sampled);
  });
}

for (const trustIncoming of [true, false]) {
  test(`begin() lets callers force no more than the bound (trustIncoming ${trustIncoming})`, () => {
    const options = { trustIncoming, perSecond: { incoming: 3 } };
    const { begin, clock, limited } = fixture(options);
    const forced = (): RequestTrace | undefined => begin(...incoming(HIGH, "01"));
    const sampled = Array.from({ length: 10 }, forced).filter((one) => spansOf(one) !== undefined);
    assert.equal(sampled.length, 3);
    assert.equal(limited("incoming"), 7);
    assert.equal(parseTraceparent(traceparentOf(forced()) ?? "")?.sampled, false);
    clock.advance(1000);
    assert.notEqual(spansOf(forced()), undefined);
  });
}

test("adjust() divides the bounds among those that share them", () => {
  const { tracing, begin } = fixture(undefined);
  const otlp = { endpoint: "http://127.0.0.1:4318" };
  const options = tracingSchema.parse({ otlp, trustIncoming: true, perSecond: { incoming: 8 } });
  tracing.adjust(options, { of: 4 });
  const all = Array.from({ length: 9 }, () => begin(...incoming(LOW, "01")));
  assert.equal(all.filter((one) => spansOf(one) !== undefined).length, 2);
});

test("keep() records what it is told to keep, and nothing else", () => {
  const { begin, tracing } = fixture({ sample: 0, always: ["denied"] });
  const trace = begin();
  assert.ok(typeof trace === "string");
  assert.equal(tracing.keep(trace, ["errors"], 0), trace);
  const kept = tracing.keep(trace, ["denied"], 0);
  assert.equal(traceIdOf(kept), trace.slice(3, 35));
  assert.equal(spansOf(kept)?.spanId, trace.slice(36, 52));
  assert.equal(tracing.keep(kept, ["denied"], 0), kept);
  const followed = tracing.keep(begin(...incoming(LOW, "00")), ["denied", "errors"], 0);
  assert.equal(traceIdOf(followed), LOW);
  assert.notEqual(spansOf(followed)?.spanId, PARENT);
});

test("keep() keeps no more than the bound", () => {
  const options = { sample: 0, always: ["denied"], perSecond: { always: 2 } };
  const { begin, tracing, limited } = fixture(options);
  const kept = Array.from({ length: 5 }, () => tracing.keep(begin(), ["denied"], 0));
  assert.equal(kept.filter((one) => spansOf(one) !== undefined).length, 2);
  assert.equal(limited("always"), 3);
});

test("adjust() to other options sends what was recorded by the former ones", async () => {
  const { begin, tracing, bodies } = fixture({ sample: 1 });
  const trace = begin();
  spansOf(trace)?.decided(REQUEST, "permitted");
  endTrace(trace, { status: 200, end: "complete" }, { permit: PERMIT, startedAt: 0, tracing });
  tracing.adjust(undefined);
  assert.equal(begin(), undefined);
  await tracing.close();
  assert.equal(bodies.length, 1);
  assert.ok(bodies[0]?.includes(String(traceIdOf(trace))));
});

test("adjust() says where spans go, and by whom the collector is known", async () => {
  const endpoint = "https://collector.example.com/otlp/";
  const otlp = { endpoint, ca: "ca.pem", headers: { "x-key": "k" }, compression: "none" };
  const { begin, tracing, targets } = fixture({ sample: 1, otlp });
  const trace = begin();
  spansOf(trace)?.decided(REQUEST, "permitted");
  spansOf(trace)?.end({ status: 200, end: "complete" });
  await tracing.close();
  const [{ url, headers, compression, tls } = assert.fail()] = targets;
  assert.deepEqual(
    { url, headers, compression, tls },
    {
      url: "https://collector.example.com/otlp/v1/traces",
      headers: { "x-key": "k" },
      compression: "none",
      tls: { ca: "authority of ca.pem" },
    },
  );
});

for (const [ended, kept] of [
  [{ status: 200, end: "complete" }, false],
  [{ status: 404, end: "complete" }, false],
  [{ status: 0, end: "caller-gone" }, false],
  [{ status: 500, end: "complete" }, true],
  [{ status: 200, end: "upstream-timeout" }, true],
  [{ status: 200, grpcStatus: 5, end: "complete" }, false],
  [{ status: 200, grpcStatus: 14, end: "complete" }, true],
] as const) {
  test(`endTrace() ${kept ? "keeps" : "lets go"} ${JSON.stringify(ended)} where errors are always kept`, async () => {
    const { begin, tracing, bodies } = fixture({ sample: 0, always: ["errors"] });
    const trace = begin();
    endTrace(trace, ended, { permit: PERMIT, startedAt: 0, tracing });
    await tracing.close();
    assert.equal(bodies.length, kept ? 1 : 0);
  });
}

test("spans leave out what the audit log redacts, of whatever request", async () => {
  const seen = async (redact: readonly string[]) => {
    const { begin, tracing, bodies } = fixture(undefined);
    const otlp = { endpoint: "http://127.0.0.1:4318", compression: "none" };
    tracing.adjust(tracingSchema.parse({ otlp, sample: 1, principal: true }), { redact });
    const spans = spansOf(begin());
    spans?.decided(PERSONAL, "permitted");
    const attempts = spans?.attempts({ method: "GET", path: "/in/alice", service: "s" });
    attempts?.begin("10.9.9.9:8080", false);
    spans?.end({ status: 200, end: "complete" });
    await tracing.close();
    return bodies.join("");
  };
  const clear = await seen([]);
  const VALUES = [
    "198.51.100.7",
    "192.0.2.7",
    "/of/alice",
    "/in/alice",
    "corp/alice",
    "tenant.example",
    "colour",
  ];
  for (const value of VALUES) assert.ok(clear.includes(value), value);
  for (const [redact, hides] of [
    ["clientAddress", ["198.51.100.7", "192.0.2.7", "/of/alice", "/in/alice"]],
    ["peerAddress", ["198.51.100.7", "192.0.2.7", "/of/alice", "/in/alice"]],
    ["host", ["tenant.example", "/of/alice", "/in/alice"]],
    ["params.id", ["/of/alice", "/in/alice"]],
    ["path", ["/of/alice", "/in/alice"]],
    ["principal.attributes.email", ["/of/alice", "/in/alice"]],
    ["principal.subject", ["corp/alice", "/of/alice", "/in/alice"]],
    ["query", ["colour"]],
    ["requestId", []],
  ] as const) {
    const text = await seen([redact]);
    const gone = VALUES.filter((value) => !text.includes(value));
    assert.deepEqual(new Set(gone), new Set<string>(hides), redact);
    assert.ok(text.includes("10.9.9.9"), "where a service is says the configuration");
  }
});

const REQUEST = {
  id: "decision-1",
  input: {
    head: { version: "1.1", method: "GET", fields: [] },
    listener: "edge",
    scheme: "http",
    peer: { address: "192.0.2.7", port: 4711 },
  },
  request: undefined,
  route: undefined,
  principal: undefined,
} as unknown as Parameters<NonNullable<ReturnType<typeof spansOf>>["decided"]>[0];
const PERMIT = { ...REQUEST, decisionId: "decision-1" };
const PERSONAL = {
  ...REQUEST,
  input: { ...REQUEST.input, peer: { address: "192.0.2.7", port: 4711 } },
  request: {
    path: "/of/alice",
    query: "colour=red",
    authority: "tenant.example:443",
    clientAddress: "198.51.100.7",
  },
  principal: { kind: "user", authenticator: "corp", subject: "alice" },
} as unknown as typeof REQUEST;

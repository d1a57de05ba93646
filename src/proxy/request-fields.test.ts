import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestTrace } from "../telemetry/traces/request-trace.ts";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import { getAllFields, getField } from "../wire/fields.ts";
import { type ForwardPlan, headerRules } from "./plan.ts";
import { createRequestFields } from "./request-fields.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("requestFields() writes host, forwarded fields, ids and a new trace", () => {
  const fields = built(["accept", "*/*"]);
  assert.deepEqual(fields.slice(0, 4), ["host", "api.example.com", "accept", "*/*"]);
  assert.equal(getField(fields, "x-forwarded-for"), "192.0.2.7");
  assert.equal(getField(fields, "x-forwarded-host"), "api.example.com");
  assert.equal(getField(fields, "x-request-id"), "request-1");
  assert.equal(getField(fields, "sallyport-decision"), "decision-1");
  assert.equal(getField(fields, "traceparent"), "new-trace");
});

const stripped = [
  "host",
  "connection",
  "te",
  "transfer-encoding",
  "content-length",
  "authorization",
  "proxy-authorization",
  "x-request-id",
  "x-forwarded-for",
  "x_forwarded_for",
  "x-sallyport-subject",
  "x_sallyport_assertion",
  "sallyport-decision",
  "forwarded",
  "x-real-ip",
  "x-debug",
];
for (const name of stripped) {
  test(`requestFields() never passes on what a caller sent as ${name}`, () => {
    assert.ok(!built([name, "spoofed"]).includes("spoofed"));
  });
}

for (const [name, scheme, passes] of [
  ["authorization", "bearer", true],
  ["authorization", "dpop", true],
  ["authorization", undefined, false],
  ["dpop", "dpop", true],
  ["dpop", "bearer", false],
  ["dpop", undefined, false],
] as const) {
  test(`requestFields() ${passes ? "passes" : "keeps"} ${name} where the token came as ${String(scheme)}`, () => {
    const sent = [name, "secret"];
    const forwarding = built(sent, { forwardCredentials: true }, undefined, {
      tokenScheme: scheme,
    });
    assert.equal(getField(forwarding, name), passes ? "secret" : undefined);
    assert.equal(getField(built(sent, {}, undefined, { tokenScheme: scheme }), name), undefined);
  });
}

test("requestFields() drops what Connection names, but nothing that identity rests on", () => {
  const fields = built(["x-hop", "1", "cookie", "a=b"], {}, ["x-hop", "cookie"]);
  assert.equal(getField(fields, "x-hop"), undefined);
  assert.equal(getField(fields, "cookie"), "a=b");
});

test("requestFields() cuts cookies of ours where browsers may have them", () => {
  const sent = ["cookie", "a=1; __Host-sallyport-people=x", "cookie", "sallyport-people.a1=x"];
  assert.deepEqual(getAllFields(built(sent, { ownCookies: true }), "cookie"), ["a=1"]);
  assert.equal(getAllFields(built(sent), "cookie").length, 2);
});

test("requestFields() writes the trace of the request, once, and never what was sent as one", () => {
  const sent = [
    "traceparent",
    "junk",
    "tracestate",
    "b=2",
    "traceparent",
    TRACE,
    "tracestate",
    "c",
  ];
  const kept = { traceId: TRACE.slice(3, 35), traceparent: TRACE, tracestate: "a=1" };
  const followed = { ...kept, spans: undefined, told: false };
  const fields = built(sent, {}, undefined, { trace: followed });
  assert.deepEqual(getAllFields(fields, "traceparent"), [TRACE]);
  assert.deepEqual(getAllFields(fields, "tracestate"), ["a=1"]);
  const ours = built(sent, {}, undefined, { trace: "our-trace" });
  assert.deepEqual(getAllFields(ours, "traceparent"), ["our-trace"]);
  assert.deepEqual(getAllFields(ours, "tracestate"), []);
  const none = built(sent);
  assert.deepEqual(getAllFields(none, "traceparent"), ["new-trace"]);
  assert.deepEqual(getAllFields(none, "tracestate"), []);
  const recorded = built(sent, {}, undefined, {
    trace: { ...followed, spans: {} } as RequestTrace,
  });
  assert.deepEqual(getAllFields(recorded, "traceparent"), [], "each attempt writes its own");
  assert.deepEqual(getAllFields(recorded, "tracestate"), ["a=1"]);
});

test("requestFields() keeps back a tracestate that the route or the caller drops", () => {
  const trace: RequestTrace = {
    traceId: TRACE.slice(3, 35),
    traceparent: TRACE,
    tracestate: "a=1",
    spans: undefined,
    told: false,
  };
  const sent = ["traceparent", TRACE, "tracestate", "a=1"];
  const removed = { request: { ...headerRules(), remove: ["tracestate"] } };
  assert.deepEqual(getAllFields(built(sent, removed, undefined, { trace }), "tracestate"), []);
  assert.deepEqual(getAllFields(built(sent, {}, ["tracestate"], { trace }), "tracestate"), []);
});

test("requestFields() sets the route's fields last, after what it removes", () => {
  const fields = built(["x-team", "spoofed"], {
    request: { ...headerRules(), set: ["x-team", "payments"] },
  });
  assert.deepEqual(getAllFields(fields, "x-team"), ["payments"]);
});

function built(
  fields: Fields,
  plan: Partial<ForwardPlan> = {},
  connectionOptions?: string[],
  more: {
    readonly tokenScheme?: "bearer" | "dpop" | undefined;
    readonly trace?: RequestTrace;
  } = {},
): string[] {
  const whole = {
    forwardCredentials: false,
    ownCookies: false,
    request: { ...headerRules(), remove: ["x-debug"] },
    ...plan,
  } as ForwardPlan;
  const permit = {
    ...more,
    requestId: "request-1",
    decisionId: "decision-1",
    request: {
      scheme: "http",
      authority: "api.example.com",
      peer: { address: "192.0.2.7", port: 1 },
      head: { fields, connectionOptions },
    },
  } as unknown as Permit;
  return createRequestFields(whole, () => "new-trace")(permit);
}

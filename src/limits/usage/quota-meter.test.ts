import assert from "node:assert/strict";
import test from "node:test";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import type { Principal } from "../../model/principal.ts";
import { HOUR_MS, periodEnd, periodStart } from "./periods.ts";
import { QuotaMeter } from "./quota-meter.ts";
import { withQuota } from "./quota-verdict.ts";
import { costSchema, usageSchema } from "./usage-options.ts";

/** Half an hour before December. */
const NOW = Date.UTC(2026, 10, 30, 23, 30);

function principal(subject: string, plan?: string): Principal {
  return {
    kind: "user",
    authenticator: "corp",
    subject,
    roles: [],
    groups: [],
    attributes: plan === undefined ? {} : { plan },
  };
}

const ANONYMOUS: Principal = { ...principal(""), kind: "anonymous", authenticator: "" };

const OPTIONS = {
  plans: {
    free: { quota: { requests: 3, per: "hour" } },
    paid: { quota: { requests: 100, cost: 10, per: "month" } },
    bulk: { quota: { bytes: 1000, per: "day" } },
    open: {},
  },
  plan: { attribute: "plan", default: "free" },
};

function fixture(options: object = OPTIONS) {
  const log = recordedLog();
  const metrics = recordedMetrics();
  const make = () =>
    new QuotaMeter(usageSchema.parse(options), { log, metrics: recordedMetrics() });
  const meter = new QuotaMeter(usageSchema.parse(options), { log, metrics });
  const ask = (who: Principal, cost = 1, at = NOW, by = meter) =>
    by.take(by.account(who, at), cost, at);
  return { log, metrics, meter, make, ask };
}

test("periods begin and end with the calendar, UTC", () => {
  const at = (text: string): number => Date.parse(text);
  const cases: readonly [Parameters<typeof periodStart>[0], string, string, string][] = [
    ["hour", "2026-11-30T23:30:00Z", "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"],
    ["day", "2026-11-30T23:59:59.999Z", "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"],
    ["month", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"],
    ["month", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"],
    ["month", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"],
  ];
  for (const [period, time, start, end] of cases) {
    assert.equal(periodStart(period, at(time)), at(start), time);
    assert.equal(periodEnd(period, at(start)), at(end), time);
  }
});

test("what the book says by pseudonyms counts for who they are, once they ask", () => {
  const names = {
    nameOf: (id: string) => (id === "corp/ann" ? "corp/hmac:a" : undefined),
    isName: (text: string) => text.includes("/hmac:"),
  };
  const make = () => {
    const deps = { log: recordedLog(), metrics: recordedMetrics(), names };
    return new QuotaMeter(usageSchema.parse(OPTIONS), deps);
  };
  const start = periodStart("hour", NOW);
  const steps = [
    ["corp/hmac:a", "hour", start, 2, 0, 2000],
    ["corp/hmac:b", "hour", start, 9, 0, 9000],
  ] as const;
  const first = make();
  first.merge(steps, NOW);
  const worker = make();
  worker.merge(first.dump(NOW), NOW);
  for (const meter of [first, worker]) {
    const ask = (who: Principal) => meter.take(meter.account(who, NOW), 1, NOW)?.refused;
    assert.deepEqual(
      [ask(principal("ann")), ask(principal("ann"))],
      [undefined, "requests"],
      "of three two were used",
    );
    assert.equal(ask(principal("bob")), undefined, "whom the log does not know");
    meter.merge([["corp/hmac:a", "hour", start, 1, 0, 1000]], NOW);
    assert.equal(meter.known("corp/ann", "hour", start)?.requests, 4);
    assert.equal(meter.known("corp/hmac:a", "hour", start)?.requests, 4, "by either name");
    const others = [["corp/ann", "hour", start, 1, 0, 0]] as const;
    assert.deepEqual(meter.asLogged(others), [["corp/hmac:a", "hour", start, 1, 0, 0]]);
  }
});

test("take() lets a quota through and not one more, until the period ends", () => {
  const { ask, metrics } = fixture();
  const ann = principal("ann");
  assert.deepEqual(
    [1, 2, 3].map(() => ask(ann)?.left),
    ['"quota";r=2;t=1800', '"quota";r=1;t=1800', '"quota";r=0;t=1800'],
  );
  const refused = ask(ann);
  assert.equal(refused?.refused, "requests");
  assert.equal(refused?.retryAfterSeconds, 1800);
  assert.equal(refused?.policy, '"quota";q=3;w=3600');
  assert.equal(metrics.value("sallyport_quota_refused free"), 1);
  assert.equal(ask(principal("bob"))?.refused, undefined, "another one has its own");
  assert.equal(ask({ ...ann })?.refused, "requests", "whichever credential says who it is");
  const last = ask(ann, 1, NOW + HOUR_MS / 2 - 1);
  assert.equal(last?.refused, "requests");
  assert.equal(last?.retryAfterSeconds, 1);
  assert.equal(ask(ann, 1, NOW + HOUR_MS / 2)?.left, '"quota";r=2;t=3600');
  assert.equal(
    ask(ann, 1, NOW)?.left,
    '"quota";r=1;t=5400',
    "a clock that goes back gives nothing",
  );
});

test("take() counts cost in thousandths, and what costs nothing is let through", () => {
  const { ask } = fixture();
  const ann = principal("ann", "paid");
  assert.equal(ask(ann, 9.75)?.left, '"quota";r=99;t=1800, "quota-cost";r=0;t=1800');
  assert.equal(ask(ann, 0.251)?.refused, "cost");
  assert.equal(ask(ann, 0.25)?.refused, undefined);
  assert.equal(ask(ann, 0)?.refused, undefined);
  assert.equal(ask(ann, 0.001)?.refused, "cost");
  assert.equal(ask(ann, 0.001)?.policy, '"quota";q=100;w=2592000, "quota-cost";q=10;w=2592000');
});

test("bytes count when a request has ended", () => {
  const { ask, meter } = fixture();
  const ann = principal("ann", "bulk");
  assert.equal(meter.countsBytes, true);
  for (const [id, bytes] of [
    ["a", 400],
    ["b", 599],
  ] as const) {
    assert.equal(ask(ann)?.refused, undefined);
    meter.began(id, meter.account(ann, NOW));
    meter.ended(id, bytes, NOW);
    meter.ended(id, bytes, NOW);
  }
  assert.equal(ask(ann)?.left, '"quota-bytes";r=1;t=1800');
  meter.began("c", meter.account(ann, NOW));
  meter.ended("c", 5000, NOW);
  assert.equal(ask(ann)?.refused, "bytes");
  assert.equal(ask(ann)?.left, '"quota-bytes";r=0;t=1800');
});

test("giveBack() undoes a take", () => {
  const { ask, meter } = fixture();
  const ann = principal("ann");
  for (let index = 0; index < 10; index++) {
    assert.equal(ask(ann)?.refused, undefined);
    meter.giveBack(meter.account(ann, NOW), 1, NOW);
  }
  assert.deepEqual(meter.drain(), []);
});

test("a principal is on the plan that its attribute names, or on the default, and that is said", () => {
  const { meter, log } = fixture();
  const plan = (who: Principal) => meter.account(who, NOW).plan.name;
  assert.equal(plan(principal("a", "paid")), "paid");
  assert.equal(plan(principal("b")), "free");
  assert.equal(plan(principal("c", "open")), "open");
  assert.equal(plan(principal("d", "gone")), "free");
  assert.equal(plan(principal("e", "gone")), "free");
  assert.equal(plan(principal("f", "constructor")), "free");
  assert.equal(plan({ ...principal("g"), attributes: { plan: 7 } }), "free");
  assert.equal(plan(ANONYMOUS), undefined);
  assert.equal(log.lines.filter((line) => line.includes("not declared")).length, 2);
  assert.equal(
    fixture({ plans: { a: {} } }).meter.account(principal("x"), NOW).plan.name,
    undefined,
  );
  const guests = fixture({ plans: { guest: {} }, plan: { anonymous: "guest" } });
  assert.equal(guests.meter.account(ANONYMOUS, NOW).plan.name, "guest");
  assert.equal(guests.meter.account(principal("x"), NOW).plan.name, undefined);
});

test("usage() is one value for each plan and cost, and none where there is nothing to say", () => {
  const { meter } = fixture({ plans: { a: {} }, plan: { default: "a" } });
  const { plan } = meter.account(principal("x"), NOW);
  assert.equal(plan.usage(2), plan.usage(2));
  assert.deepEqual(plan.usage(2), { cost: 2, plan: "a" });
  const none = meter.account(ANONYMOUS, NOW).plan;
  assert.equal(none.usage(1), undefined);
  assert.deepEqual(none.usage(2), { cost: 2, plan: undefined });
});

test("what a plan has used stays used on another plan", () => {
  const { ask } = fixture({
    plans: {
      small: { quota: { requests: 2, per: "day" } },
      large: { quota: { requests: 3, per: "month" } },
    },
    plan: { attribute: "plan" },
  });
  ask(principal("ann", "small"));
  ask(principal("ann", "small"));
  assert.equal(ask(principal("ann", "small"))?.refused, "requests");
  assert.equal(ask(principal("ann", "large"))?.refused, undefined);
  assert.equal(ask(principal("ann", "large"))?.refused, "requests");
});

test("processes that tell each other count as one", () => {
  const { make, ask } = fixture();
  const [one, two] = [make(), make()];
  const ann = principal("ann");
  ask(ann, 1, NOW, one);
  ask(ann, 1, NOW, two);
  const [ofOne, ofTwo] = [one.drain(), two.drain()];
  assert.deepEqual(
    ofOne.filter(([, period]) => period === "hour"),
    [["corp/ann", "hour", NOW - HOUR_MS / 2, 1, 0, 1000]],
  );
  two.merge(ofOne, NOW);
  one.merge(ofTwo, NOW);
  assert.deepEqual(one.drain(), [], "what was heard is not told on");
  assert.equal(ask(ann, 1, NOW, one)?.left, '"quota";r=0;t=1800');
  two.merge(one.drain(), NOW);
  assert.equal(ask(ann, 1, NOW, two)?.refused, "requests");
  const third = make();
  third.merge([...two.dump(NOW)], NOW);
  assert.equal(ask(ann, 1, NOW, third)?.refused, "requests");
  third.clear();
  assert.equal(ask(ann, 1, NOW, third)?.refused, undefined);
  // Of a period that is over by now nothing is left.
  const later = make();
  later.merge([...two.dump(NOW)], NOW + HOUR_MS);
  assert.equal(ask(ann, 1, NOW + HOUR_MS, later)?.left, '"quota";r=2;t=1800');
});

test("withQuota() puts the quota beside the limits of the route", () => {
  const { ask } = fixture();
  const verdict = ask(principal("ann"));
  assert.ok(verdict !== undefined);
  const release = (): void => undefined;
  const admission = {
    reason: undefined,
    limit: undefined,
    retryAfterSeconds: 0,
    fields: ["ratelimit-policy", '"principal";q=2;w=10', "ratelimit", '"principal";r=1;t=5'],
    release,
  };
  assert.deepEqual(withQuota(admission, verdict).fields, [
    "ratelimit-policy",
    '"principal";q=2;w=10, "quota";q=3;w=3600',
    "ratelimit",
    '"principal";r=1;t=5, "quota";r=2;t=1800',
  ]);
  assert.equal(withQuota(admission, verdict).release, release);
});

test("ten thousand principals are each held to their own", () => {
  const { ask, metrics } = fixture();
  const all = Array.from({ length: 10_000 }, (_, index) => principal(`p${index}`));
  for (let round = 0; round < 3; round++) {
    for (const who of all) assert.equal(ask(who)?.refused, undefined);
  }
  for (const who of all) assert.equal(ask(who)?.refused, "requests");
  assert.equal(metrics.value("sallyport_quota_principals"), 10_000);
});

test("usageSchema refuses quotas of nothing, shares beyond reason and what it does not know", () => {
  for (const options of [
    { plans: { a: { quota: { per: "day" } } } },
    { plans: { a: { quota: { requests: 0, per: "day" } } } },
    { plans: { a: { quota: { requests: 1, per: "week" } } } },
    { plans: { a: { quota: { requests: 1 } } } },
    { plans: { a: { warnAt: "100%" } } },
    { plans: { a: { warnAt: "0%" } } },
    { plans: { a: { warnAt: 0.8 } } },
    { plans: { a: { price: 1 } } },
    { plans: { "A b": {} } },
    { plan: { attribute: "a b" } },
    { keep: "1h" },
    { count: "some" },
    { path: "" },
    { other: 1 },
  ]) {
    assert.ok(!usageSchema.safeParse(options).success, JSON.stringify(options));
  }
  const parsed = usageSchema.parse({ plans: { a: {} } });
  assert.equal(parsed.plans["a"]?.warnAt, 0.8);
  assert.equal(parsed.keep, 400 * 24 * HOUR_MS);
  for (const cost of [-1, 0.0001, 1_000_001, "1", Number.NaN]) {
    assert.ok(!costSchema.safeParse(cost).success, String(cost));
  }
  for (const cost of [0, 0.001, 1.005, 0.1, 4.35, 1_000_000]) {
    assert.equal(costSchema.parse(cost), cost);
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { recordedMetrics } from "../../test/ports.ts";
import type { RateLimiter } from "../model/ports.ts";
import { ANONYMOUS, type Principal } from "../model/principal.ts";
import { createLimitPool } from "./limit-pool.ts";
import { routeConcurrencySchema, routeRatesSchema, sharedRateSchema } from "./limit-options.ts";
import type { Admission, RouteLimits } from "./route-limits.ts";

function principal(subject: string, tenant = "acme", authenticator = "corp"): Principal {
  return { kind: "user", authenticator, subject, roles: [], groups: [], attributes: { tenant } };
}

function caller(who: Principal, address = "192.0.2.1") {
  return { principal: who, address };
}

function fixture(limit: unknown, concurrency?: unknown, shared: Record<string, object> = {}) {
  const metrics = recordedMetrics();
  const pool = createLimitPool({ metrics });
  const route = {
    name: "billing",
    limit: limit === undefined ? undefined : routeRatesSchema.parse(limit),
    concurrency: concurrency === undefined ? undefined : routeConcurrencySchema.parse(concurrency),
  };
  const rates = Object.fromEntries(
    Object.entries(shared).map(([name, rate]) => [name, sharedRateSchema.parse(rate)]),
  );
  const limits = pool.routeLimits(route, rates);
  assert.ok(limits !== undefined);
  return { metrics, pool, route, rates, limits };
}

function admit(limits: RouteLimits, who: Principal, now = 0, address?: string): Admission {
  const admission = limits.admit(caller(who, address), now);
  assert.ok(!(admission instanceof Promise));
  return admission;
}

test("a route without limits has none", () => {
  const pool = createLimitPool({ metrics: recordedMetrics() });
  assert.equal(pool.routeLimits({ name: "a" }, {}), undefined);
});

test("admit() says in the fields of the draft what is left, and when to ask again", () => {
  const { limits, metrics } = fixture({ requests: 2, per: "10s" });
  const first = admit(limits, principal("ann"));
  assert.equal(first.reason, undefined);
  assert.deepEqual(first.fields, [
    "ratelimit-policy",
    '"principal";q=2;w=10',
    "ratelimit",
    '"principal";r=1;t=5',
  ]);
  admit(limits, principal("ann"));
  const refused = admit(limits, principal("ann"));
  assert.equal(refused.reason, "rate-limited");
  assert.equal(refused.limit, "principal");
  assert.equal(refused.retryAfterSeconds, 5);
  assert.equal(refused.fields[3], '"principal";r=0;t=10');
  assert.equal(metrics.value("sallyport_limited billing/principal"), 1);
  assert.equal(admit(limits, principal("bob")).reason, undefined, "another caller has its own");
});

test("by: what is counted together", () => {
  const ann = principal("ann");
  const same: readonly [by: unknown, one: Principal, other: Principal, together: boolean][] = [
    ["principal", ann, principal("ann"), true],
    ["principal", ann, principal("ann", "acme", "partners"), false],
    ["issuer", ann, principal("bob"), true],
    ["issuer", ann, principal("ann", "acme", "partners"), false],
    ["route", ann, principal("bob", "other", "partners"), true],
    ["address", ann, principal("bob"), true],
    [{ attribute: "tenant" }, ann, principal("bob"), true],
    [{ attribute: "tenant" }, ann, principal("ann", "other"), false],
    [{ attribute: "tenant" }, ann, principal("bob", "acme", "partners"), false],
  ];
  for (const [by, one, other, together] of same) {
    const { limits } = fixture({ requests: 1, per: "1h", by });
    assert.equal(admit(limits, one).reason, undefined);
    const reason = admit(limits, other).reason;
    assert.equal(reason, together ? "rate-limited" : undefined, JSON.stringify(by));
  }
});

test("callers without an identity are told apart by address, of IPv6 by its /64", () => {
  for (const by of ["principal", "issuer", "address", { attribute: "tenant" }]) {
    const { limits } = fixture({ requests: 1, per: "1h", by });
    const at = (address: string) => admit(limits, ANONYMOUS, 0, address).reason;
    assert.equal(at("2001:db8::1"), undefined);
    assert.equal(at("2001:db8::2"), "rate-limited");
    assert.equal(at("2001:db8:0:1::1"), undefined);
    assert.equal(at("192.0.2.9"), undefined);
  }
});

test("no subject is counted as an address or as another subject", () => {
  const { limits } = fixture({ requests: 1, per: "1h" });
  assert.equal(admit(limits, ANONYMOUS, 0, "192.0.2.1").reason, undefined);
  assert.equal(admit(limits, principal("192.0.2.1", "t", "@")).reason, undefined);
  const long = "x".repeat(500);
  assert.equal(admit(limits, principal(`${long}1`)).reason, undefined);
  assert.equal(admit(limits, principal(`${long}2`)).reason, undefined);
  assert.equal(admit(limits, principal(`${long}1`)).reason, "rate-limited");
});

test("what one limit refuses takes nothing from another", () => {
  const { limits } = fixture(
    [
      { requests: 10, per: "1h", by: "route", name: "whole" },
      { requests: 1, per: "1h", by: "principal" },
    ],
    { requests: 3, by: "route" },
  );
  const held = [admit(limits, principal("ann"))];
  for (let index = 0; index < 100; index++) {
    assert.equal(admit(limits, principal("ann")).limit, "principal");
  }
  held.push(admit(limits, principal("bob")), admit(limits, principal("eve")));
  assert.deepEqual(
    held.map(({ reason }) => reason),
    [undefined, undefined, undefined],
  );
  assert.match(held[2]?.fields[3] ?? "", /"whole";r=7;/);
  assert.match(held[2]?.fields[3] ?? "", /"concurrent-route";r=0/);
});

test("a place in flight is given back once, however often it is released", () => {
  const { limits, metrics } = fixture(undefined, { requests: 2 });
  const ann = principal("ann");
  const [one, two] = [admit(limits, ann), admit(limits, ann)];
  const refused = admit(limits, ann);
  assert.equal(refused.reason, "too-many-concurrent");
  assert.equal(refused.retryAfterSeconds, 1);
  assert.deepEqual(refused.fields, [
    "ratelimit-policy",
    '"concurrent-principal";q=2;qu="concurrent-requests"',
    "ratelimit",
    '"concurrent-principal";r=0',
  ]);
  refused.release();
  assert.equal(admit(limits, ann).reason, "too-many-concurrent");
  one.release();
  one.release();
  assert.equal(metrics.value("sallyport_limit_in_flight"), 1);
  const three = admit(limits, ann);
  assert.equal(three.reason, undefined);
  assert.equal(admit(limits, ann).reason, "too-many-concurrent");
  two.release();
  three.release();
  assert.equal(metrics.value("sallyport_limit_in_flight"), 0);
});

test("in any order of comings and goings, places in flight are neither lost nor won", () => {
  const events = fc.array(
    fc.oneof(
      fc.record({ come: fc.integer({ min: 0, max: 4 }) }),
      fc.record({ go: fc.nat(), twice: fc.boolean() }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 3 }), (list, requests) => {
      const { limits, metrics } = fixture({ requests: 5, per: "1h" }, [
        { requests },
        { requests: 4, by: "route" },
      ]);
      const flying: { readonly who: number; readonly admission: Admission }[] = [];
      for (const event of list) {
        if ("come" in event) {
          const admission = admit(limits, principal(String(event.come)));
          if (admission.reason === undefined) flying.push({ who: event.come, admission });
        } else if (flying.length > 0) {
          const [gone] = flying.splice(event.go % flying.length, 1);
          gone?.admission.release();
          if (event.twice) gone?.admission.release();
        }
        assert.equal(metrics.value("sallyport_limit_in_flight"), flying.length * 2);
        assert.ok(flying.length <= 4);
        for (let who = 0; who < 5; who++) {
          assert.ok(flying.filter((one) => one.who === who).length <= requests);
        }
      }
    }),
  );
});

test("a shared rate is one for all routes that name it, and goes on where it was after a reload", () => {
  const shared = { whole: { requests: 2, per: "1h", by: "route" } };
  const { pool, rates, limits } = fixture("whole", undefined, shared);
  const other = pool.routeLimits({ name: "other", limit: ["whole"] }, rates);
  assert.ok(other !== undefined);
  admit(limits, principal("ann"));
  assert.equal(admit(other, principal("bob")).reason, undefined);
  assert.equal(admit(limits, principal("eve")).reason, "rate-limited");
  const again = pool.routeLimits({ name: "billing", limit: ["whole"] }, rates);
  assert.ok(again !== undefined);
  assert.equal(admit(again, principal("eve")).reason, "rate-limited");
  const wider = { whole: sharedRateSchema.parse({ requests: 3, per: "1h", by: "route" }) };
  const changed = pool.routeLimits({ name: "billing", limit: ["whole"] }, wider);
  assert.ok(changed !== undefined);
  assert.equal(admit(changed, principal("eve")).reason, undefined, "a changed one begins anew");
  assert.throws(() => pool.routeLimits({ name: "x", limit: ["absent"] }, rates), TypeError);
});

test("a limiter that has to ask is waited for; when it fails, nothing stays taken", async () => {
  const metrics = recordedMetrics();
  const answers: { resolve(allowed: boolean): void; reject(error: Error): void }[] = [];
  const remote: RateLimiter = {
    take: () =>
      new Promise((resolve, reject) => {
        answers.push({
          resolve: (allowed) => resolve({ allowed, remaining: 0, retryMs: 1500, resetMs: 0 }),
          reject,
        });
      }),
    giveBack: () => undefined,
  };
  const pool = createLimitPool({
    metrics,
    createRateLimiter: (id, _policy, local) => (id.includes("/principal") ? remote : local()),
  });
  const limit = routeRatesSchema.parse([
    { requests: 2, per: "1h", by: "route" },
    { requests: 2, per: "1h" },
  ]);
  const concurrency = routeConcurrencySchema.parse({ requests: 9 });
  const limits = pool.routeLimits({ name: "a", limit, concurrency }, {});
  assert.ok(limits !== undefined);
  const ask = () => Promise.resolve(limits.admit(caller(principal("ann")), 0));
  const [first, second] = [ask(), ask()];
  answers[0]?.reject(new Error("gone"));
  await assert.rejects(first);
  answers[1]?.resolve(false);
  assert.equal((await second).retryAfterSeconds, 2);
  assert.equal(metrics.value("sallyport_limit_in_flight"), 0);
  const third = ask();
  answers[2]?.resolve(true);
  assert.match((await third).fields[3] ?? "", /"route";r=1;/, "what was refused took nothing");
});

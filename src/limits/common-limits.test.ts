/** Limits of a route of which all machines count some: who is asked, and what happens when nobody answers. */
import assert from "node:assert/strict";
import test from "node:test";
import { recordedMetrics } from "../../test/ports.ts";
import type { CommonRate, CommonRates, CommonVerdict } from "../model/common-rates.ts";
import { SallyportError } from "../model/errors.ts";
import type { Principal } from "../model/principal.ts";
import { createGcra, type LocalRateLimiter } from "./gcra.ts";
import { routeConcurrencySchema, routeRatesSchema } from "./limit-options.ts";
import { createLimitPool } from "./limit-pool.ts";

const ANN: Principal = {
  kind: "user",
  authenticator: "corp",
  subject: "ann",
  roles: [],
  groups: [],
  attributes: {},
};

/** Counts as the server does; `fault` is thrown in its stead. */
class Common implements CommonRates {
  fault: Error | undefined;
  readonly asked: string[][] = [];
  readonly #limiters = new Map<string, LocalRateLimiter>();

  take(rates: readonly CommonRate[]): Promise<CommonVerdict> {
    this.asked.push(rates.map(({ id }) => id.split(":")[1] ?? ""));
    if (this.fault !== undefined) return Promise.reject(this.fault);
    const verdicts = rates.map((rate) => this.#limiter(rate).take(rate.key, 1, 0));
    const refused = verdicts.findIndex(({ allowed }) => !allowed);
    const verdict = verdicts[refused];
    if (verdict === undefined) return Promise.resolve({ refused: undefined, verdicts });
    for (const [index, rate] of rates.entries()) {
      if (verdicts[index]?.allowed === true) this.#limiter(rate).giveBack(rate.key, 1, 0);
    }
    return Promise.resolve({ refused, verdict });
  }

  #limiter({ id, units: { scale, step, depth } }: CommonRate): LocalRateLimiter {
    const known = this.#limiters.get(id);
    if (known !== undefined) return known;
    const made = createGcra({ requests: scale, perMs: step, burst: depth / step });
    this.#limiters.set(id, made);
    return made;
  }
}

const AWAY = new SallyportError("memory-unavailable", "nobody answers");

function machine(common: CommonRates | undefined, limit: unknown, concurrency?: unknown) {
  const metrics = recordedMetrics();
  const pool = createLimitPool({ metrics, commonRates: () => common });
  const limits = pool.routeLimits(
    {
      name: "billing",
      limit: routeRatesSchema.parse(limit),
      concurrency:
        concurrency === undefined ? undefined : routeConcurrencySchema.parse(concurrency),
    },
    {},
  );
  assert.ok(limits !== undefined);
  const ask = async () => await limits.admit({ principal: ANN, address: "192.0.2.1" }, 0);
  return { metrics, limits, ask };
}

const WHOLE = { requests: 3, per: "1h", by: "route", across: "cluster" };

test("admit() counts with all other machines, and asks once for all limits", async () => {
  const common = new Common();
  const limit = [
    WHOLE,
    { requests: 2, per: "1h", across: "cluster" },
    { requests: 9, per: "1s", by: "issuer" },
  ];
  const [one, two] = [machine(common, limit), machine(common, limit)];
  const first = await one.ask();
  assert.equal(first.reason, undefined);
  assert.deepEqual(first.fields, [
    "ratelimit-policy",
    '"issuer";q=9;w=1, "route";q=3;w=3600, "principal";q=2;w=3600',
    "ratelimit",
    '"issuer";r=8;t=1, "route";r=2;t=1200, "principal";r=1;t=1800',
  ]);
  assert.equal((await two.ask()).reason, undefined);
  assert.deepEqual(common.asked, [
    ["billing/route", "billing/principal"],
    ["billing/route", "billing/principal"],
  ]);
  const refused = await one.ask();
  assert.equal(refused.reason, "rate-limited");
  assert.equal(refused.limit, "principal");
  assert.equal(refused.retryAfterSeconds, 1800);
  assert.equal(refused.fields[3], '"principal";r=0;t=3600');
  assert.equal(one.metrics.value("sallyport_limited billing/principal"), 1);
  assert.equal(one.metrics.value("sallyport_limit_away billing/route"), 0);
});

test("admit() asks nobody where no limit says so, or where this machine refuses", async () => {
  const common = new Common();
  const alone = machine(common, { requests: 1, per: "1h" });
  assert.ok(!(alone.limits.admit({ principal: ANN, address: "192.0.2.1" }, 0) instanceof Promise));
  const both = machine(common, [WHOLE, { requests: 1, per: "1h" }]);
  assert.equal((await both.ask()).reason, undefined);
  assert.equal((await both.ask()).limit, "principal");
  assert.equal(common.asked.length, 1);
});

test("what all machines refuse is given back on this one", async () => {
  const common = new Common();
  const { ask, metrics } = machine(
    common,
    [
      { requests: 5, per: "1h" },
      { ...WHOLE, requests: 1 },
    ],
    { requests: 9 },
  );
  const first = await ask();
  assert.equal(metrics.value("sallyport_limit_in_flight"), 1);
  for (let index = 0; index < 9; index++) assert.equal((await ask()).limit, "route");
  assert.equal(metrics.value("sallyport_limit_in_flight"), 1);
  first.release();
  common.fault = AWAY;
  assert.match((await ask()).fields[3] ?? "", /"principal";r=3;/, "two of five were taken");
});

test("while nobody answers each machine counts the whole rate by itself, unless a limit says refuse", async () => {
  for (const common of [Object.assign(new Common(), { fault: AWAY }), undefined]) {
    const { ask, metrics } = machine(common, WHOLE);
    for (let index = 0; index < 3; index++) assert.equal((await ask()).reason, undefined);
    const refused = await ask();
    assert.equal(refused.reason, "rate-limited");
    assert.equal(refused.retryAfterSeconds, 1200);
    assert.equal(metrics.value("sallyport_limit_away billing/route"), 4);

    const strict = machine(
      common,
      [WHOLE, { requests: 9, per: "1h", across: "cluster", whenAway: "refuse" }],
      { requests: 9 },
    );
    const away = await strict.ask();
    assert.equal(away.reason, "memory-unavailable");
    assert.equal(away.limit, "principal");
    assert.equal(away.retryAfterSeconds, 1);
    assert.deepEqual(away.fields.slice(0, 1), ["ratelimit-policy"]);
    assert.equal(away.fields.length, 2, "what is left is not known");
    assert.equal(strict.metrics.value("sallyport_limit_in_flight"), 0);
    assert.equal(strict.metrics.value("sallyport_limited billing/principal"), 0);
  }
});

test("admit() counts in common again once somebody answers", async () => {
  const common = new Common();
  const { ask } = machine(common, WHOLE);
  common.fault = AWAY;
  for (let index = 0; index < 4; index++) await ask();
  common.fault = undefined;
  for (let index = 0; index < 3; index++) assert.equal((await ask()).reason, undefined);
  assert.equal((await ask()).reason, "rate-limited");
});

test("a fault of ours is no absence: it rejects, and nothing stays taken", async () => {
  const common = Object.assign(new Common(), { fault: new TypeError("ours") });
  const { ask, metrics } = machine(common, [{ requests: 2, per: "1h" }, WHOLE], { requests: 9 });
  await assert.rejects(ask(), TypeError);
  assert.equal(metrics.value("sallyport_limit_in_flight"), 0);
  common.fault = AWAY;
  assert.match((await ask()).fields[3] ?? "", /"principal";r=1;/);
});

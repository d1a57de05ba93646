import assert from "node:assert/strict";
import { test } from "node:test";
import { routeRatesSchema, sharedRateSchema } from "../limits/limit-options.ts";
import { sharedSchema } from "../memory/shared-options.ts";
import { checkLimits } from "./check-limits.ts";
import type { Draft } from "./draft.ts";

const SHARED = sharedSchema.parse({ redis: "unix:/run/redis.sock" });
const RATE = { requests: 1, per: "1s", by: "route" };

/** One route, of which only the limit is looked at; `rates`: what several routes draw on. */
function draftOf(limit: unknown, { shared, listeners = [{}], rates = {} }: Parts = {}): Draft {
  const route = {
    path: ["routes", 0],
    options: { authenticate: [], limit: routeRatesSchema.parse(limit) },
  };
  const named = Object.entries(rates).map(([name, rate]) => [name, sharedRateSchema.parse(rate)]);
  const limits = { rates: Object.fromEntries(named) as object };
  return { routes: [route], limits, listeners, config: { shared } } as unknown as Draft;
}

interface Parts {
  readonly shared?: object;
  readonly listeners?: readonly object[];
  readonly rates?: Readonly<Record<string, object>>;
}

test("checkLimits() refuses a limit across machines where they have nothing in common", () => {
  const across = { ...RATE, across: "cluster" };
  const [problem, ...others] = checkLimits(draftOf([RATE, { ...across, name: "all" }]));
  assert.deepEqual(problem?.path, ["routes", 0, "limit", 1, "across"]);
  assert.equal(problem?.remedy, "shared.redis");
  assert.deepEqual(others, []);
  const [named] = checkLimits(draftOf("whole", { rates: { whole: across } }));
  assert.deepEqual(named?.path, ["limits", "rates", "whole", "across"]);
  assert.deepEqual(checkLimits(draftOf(across, { shared: SHARED })), []);
  assert.deepEqual(checkLimits(draftOf(across, { listeners: [] })), [], "proxies have their own");
});

test("checkLimits() refuses quotas across machines where they have nothing in common", () => {
  const usage = (across: string, { shared, listeners = [{}] }: Parts = {}) => {
    const draft = draftOf([RATE], { listeners });
    return checkLimits({ ...draft, config: { shared, usage: { across } } } as unknown as Draft);
  };
  const [problem, ...others] = usage("cluster");
  assert.deepEqual(problem?.path, ["usage", "across"]);
  assert.equal(problem?.remedy, "shared.redis");
  assert.deepEqual(others, []);
  assert.deepEqual(usage("cluster", { shared: SHARED }), []);
  assert.deepEqual(usage("cluster", { listeners: [] }), []);
  assert.deepEqual(usage("machine"), []);
});

test("checkLimits() refuses to say what is done when nothing can be away", () => {
  for (const whenAway of ["local", "refuse"]) {
    const [problem, ...others] = checkLimits(draftOf({ ...RATE, whenAway }, { shared: SHARED }));
    assert.deepEqual(problem?.path, ["routes", 0, "limit", 0, "whenAway"]);
    assert.deepEqual(others, []);
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import { usageSchema } from "../limits/usage/usage-options.ts";
import { checkUsage, checkUsageWarnings } from "./check-usage.ts";
import type { Draft } from "./draft.ts";
import { authenticatorSchema } from "./schema.ts";

interface Parts {
  readonly attributes?: object;
  readonly authenticate?: readonly string[];
  readonly cost?: number;
  readonly own?: boolean;
}

function draftOf(usage: unknown, parts: Parts = {}): Draft {
  const { attributes = {}, authenticate = ["corp"], cost, own = false } = parts;
  const options = authenticatorSchema.parse({
    type: "jwt",
    issuer: "https://login.example.com",
    principal: { kind: "user", attributes },
  });
  const config = { usage: usage === undefined ? undefined : usageSchema.parse(usage) };
  return {
    listeners: [{}],
    routes: [{ path: ["routes", 0], options: { authenticate, cost } }],
    authenticators: own ? [] : [{ name: "corp", path: ["authenticators", "corp"], options }],
    config: own ? undefined : config,
    own: own ? config : undefined,
  } as unknown as Draft;
}

const TEXT = { plan: { claim: "plan", type: "string", default: "free" } };

test("checkUsage() refuses plans that are not there", () => {
  const [wrong, ...others] = checkUsage(draftOf({ plans: { free: {} }, plan: { default: "fre" } }));
  assert.deepEqual(wrong?.path, ["usage", "plan", "default"]);
  assert.equal(wrong?.remedy, 'did you mean "free"?');
  assert.deepEqual(others, []);
  const [none] = checkUsage(draftOf({ plan: { anonymous: "guest" } }));
  assert.equal(none?.remedy, "declare it under usage.plans");
  assert.deepEqual(checkUsage(draftOf({ plans: { free: {} }, plan: { default: "free" } })), []);
  assert.equal(checkUsage(draftOf({ plan: { default: "x" } }, { own: true })).length, 1);
});

test("checkUsage() refuses an attribute that nobody declares, or that is no text", () => {
  const usage = { plans: { free: {} }, plan: { attribute: "plan" } };
  const [absent] = checkUsage(draftOf(usage));
  assert.match(absent?.message ?? "", /no authenticator declares the attribute "plan"/);
  const flag = { plan: { claim: "plan", type: "bool", default: true } };
  const [wrong] = checkUsage(draftOf(usage, { attributes: flag }));
  assert.equal(wrong?.remedy, "an attribute of type string");
  assert.deepEqual(checkUsage(draftOf(usage, { attributes: TEXT })), []);
  assert.deepEqual(
    checkUsage(draftOf(usage, { own: true })),
    [],
    "authenticators come over the feed",
  );
});

test("checkUsageWarnings() tells of plans that nobody can have, and of costs that nobody counts", () => {
  const idle = { plans: { free: {}, gold: {} }, plan: { default: "free" } };
  const [gold, ...others] = checkUsageWarnings(draftOf(idle));
  assert.deepEqual(gold?.path, ["usage", "plans", "gold"]);
  assert.deepEqual(others, []);
  const named = { ...idle, plan: { default: "free", attribute: "plan" } };
  assert.deepEqual(checkUsageWarnings(draftOf(named, { attributes: TEXT })), []);
  const guests = { plans: { guest: {} }, plan: { anonymous: "guest" } };
  assert.deepEqual(
    checkUsageWarnings(draftOf(guests)).map(({ path }) => path),
    [["usage", "plan", "anonymous"]],
  );
  assert.deepEqual(checkUsageWarnings(draftOf(guests, { authenticate: ["anonymous"] })), []);
  assert.deepEqual(
    checkUsageWarnings(draftOf(undefined, { cost: 5 })).map(({ path }) => path),
    [["routes", 0, "cost"]],
  );
  assert.deepEqual(checkUsageWarnings(draftOf({}, { cost: 5 })), []);
  assert.deepEqual(checkUsageWarnings(draftOf(undefined)), []);
});

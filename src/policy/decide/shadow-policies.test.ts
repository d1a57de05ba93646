import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyDecision, PolicyRequest } from "../../model/policy.ts";
import { createShadowPolicies } from "./shadow-policies.ts";

const REQUEST = {} as PolicyRequest;

function decided(
  reason: PolicyDecision["reason"],
  determining: readonly string[] = [],
): PolicyDecision {
  return { reason, determining, erroring: [], reads: [] };
}

function candidate(decision: PolicyDecision) {
  return createShadowPolicies({ hash: "sha256-new", decide: () => decision });
}

test("compare() is the same where both permit and where both deny, whatever the reasons", () => {
  const pairs = [
    ["permitted", "permitted"],
    ["no-permit", "forbidden"],
    ["step-up-required", "policy-error"],
  ] as const;
  for (const [one, other] of pairs) {
    const answer = candidate(decided(other)).compare(REQUEST, decided(one));
    assert.deepEqual(answer, { outcome: "same", difference: undefined }, `${one}, ${other}`);
  }
});

test("compare() says why the candidate would permit what was denied, and deny what was permitted", () => {
  assert.deepEqual(
    candidate(decided("permitted", ["new"])).compare(REQUEST, decided("forbidden")),
    {
      outcome: "would-permit",
      difference: { bundle: "sha256-new", reason: "permitted", determining: ["new"] },
    },
  );
  assert.deepEqual(
    candidate(decided("forbidden", ["stop"])).compare(REQUEST, decided("permitted")),
    {
      outcome: "would-deny",
      difference: { bundle: "sha256-new", reason: "forbidden", determining: ["stop"] },
    },
  );
});

test("compare() answers where the candidate throws", () => {
  const shadow = createShadowPolicies({
    hash: "sha256-new",
    decide() {
      throw new TypeError("a defect");
    },
  });
  assert.deepEqual(shadow.compare(REQUEST, decided("permitted")), {
    outcome: "error",
    difference: { bundle: "sha256-new", reason: "internal-error", determining: [] },
  });
});

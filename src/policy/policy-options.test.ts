import { test } from "node:test";
import assert from "node:assert/strict";
import { policyOptionsSchema } from "./policy-options.ts";

void test("policyOptionsSchema takes a list of paths and nothing else", () => {
  assert.deepEqual(policyOptionsSchema.parse({ enforce: ["policies"] }), { enforce: ["policies"] });
  for (const wrong of [{}, { enforce: [] }, { enforce: [""] }, { enforce: ["a"], tests: ["b"] }]) {
    assert.equal(policyOptionsSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});

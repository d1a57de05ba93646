import assert from "node:assert/strict";
import { test } from "node:test";
import type { ForwardPlan } from "./plan.ts";
import { rewritePath } from "./rewrite.ts";

function plan(segments: number, prefix: string): ForwardPlan {
  return { rewrite: { segments, prefix }, pathParameters: false } as ForwardPlan;
}

test("rewritePath() puts the prefix in the place of the pattern's segments", () => {
  assert.equal(rewritePath("/billing/records/1", plan(1, "/")), "/records/1");
  assert.equal(rewritePath("/billing/", plan(1, "/")), "/");
  assert.equal(rewritePath("/t/acme/v1/x", plan(2, "/api")), "/api/v1/x");
  assert.equal(rewritePath("/a/b", plan(0, "/v2/")), "/v2/a/b");
  assert.equal(rewritePath("/billing/a%2Ab", plan(1, "/")), "/a%2Ab");
});

test("rewritePath() gives nothing when the result would be ambiguous or the path is too short", () => {
  assert.equal(rewritePath("/billing", plan(1, "/")), undefined);
  assert.equal(rewritePath("/billing/a;b", plan(1, "/")), undefined);
});

test("rewritePath() leaves the path alone when the route declares no rewrite", () => {
  assert.equal(rewritePath("/x", { rewrite: undefined } as ForwardPlan), "/x");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareAnswers } from "./compare-answers.ts";

const ISSUE = {
  as: "subject",
  binding: "none",
  client: "job",
  grant: "token-exchange",
  lifetimeSeconds: 300,
  narrowed: false,
  questions: 1,
} as const;
const RECORD = { reason: "permitted", determining: ["a"], erroring: ["e"] } as const;
const AGAIN = { ...RECORD, mayErr: [], policies: [] } as const;

test("compareAnswers() wants reason, determining and erroring policies to be those of the record", () => {
  assert.equal(compareAnswers(RECORD, AGAIN), "same");
  assert.equal(compareAnswers({ ...RECORD, reason: "rate-limited" }, AGAIN), "same");
  assert.equal(compareAnswers(RECORD, { ...AGAIN, reason: "no-permit" }), "different");
  assert.equal(compareAnswers(RECORD, { ...AGAIN, determining: ["b"] }), "different");
  assert.equal(compareAnswers(RECORD, { ...AGAIN, erroring: [] }), "different");
  assert.equal(compareAnswers(RECORD, { ...AGAIN, mayErr: ["b"] }), "uncertain");
});

test("compareAnswers() is not certain of a key for which others were asked too", () => {
  const one = { ...RECORD, issue: ISSUE };
  assert.equal(compareAnswers(one, AGAIN), "same");
  const two = { ...RECORD, determining: ["a", "b"], issue: { ...ISSUE, questions: 2 } };
  assert.equal(compareAnswers(two, AGAIN), "uncertain");
  assert.equal(compareAnswers(two, { ...AGAIN, determining: ["c"] }), "different");
  assert.equal(compareAnswers(two, { ...AGAIN, reason: "forbidden" }), "different");
  // The one that was denied is the one in the record.
  const denied = { ...two, reason: "forbidden", determining: ["a"] } as const;
  assert.equal(compareAnswers(denied, { ...AGAIN, reason: "forbidden" }), "same");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { foldedName, hasLookalike } from "./member-names.ts";

test("foldedName() is the same for names that some reader takes for each other", () => {
  const spellings = ["userId", "user_id", "User-ID", "USERID", "user id", "userid\0more", "uſerId"];
  for (const name of spellings) assert.equal(foldedName(name), "userid", name);
  assert.equal(foldedName("Key".replace("K", "\u212a")), "key");
  assert.notEqual(foldedName("users"), foldedName("user"));
  assert.equal(foldedName("__proto__"), "proto");
});

test("hasLookalike() tells a name from what looks like it", () => {
  assert.equal(hasLookalike({ amount: 1, other: 2 }, ["amount"]), false);
  assert.equal(hasLookalike({ Amount: 1 }, ["amount"]), true);
  assert.equal(hasLookalike({ amount: 1, AMOUNT: 2 }, ["amount"]), true);
});

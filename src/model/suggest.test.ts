import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, suggest } from "./suggest.ts";

test("editDistance() counts insertions, deletions, replacements and swaps", () => {
  const cases: [a: string, b: string, distance: number][] = [
    ["", "", 0],
    ["abc", "abc", 0],
    ["abc", "", 3],
    ["listner", "listener", 1],
    ["sevrices", "services", 1],
    ["kitten", "sitting", 3],
    ["ab", "ba", 1],
  ];
  for (const [a, b, distance] of cases) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} ${a}`);
  }
});

test("suggest() finds the closest name, whatever its case and dashes", () => {
  const keys = ["timeout", "responseTimeout", "authenticate", "audience", "name"];
  assert.equal(suggest("timout", keys), "timeout");
  assert.equal(suggest("response_timeout", keys), "responseTimeout");
  assert.equal(suggest("authentication", keys), "authenticate");
  assert.equal(suggest("nmae", keys), "name");
  assert.equal(suggest("Timeout", keys), "timeout");
});

test("suggest() stays silent when nothing is near", () => {
  const keys = ["timeout", "name"];
  assert.equal(suggest("cors", keys), undefined);
  assert.equal(suggest("x", keys), undefined);
  assert.equal(suggest("a".repeat(100), keys), undefined);
  assert.equal(suggest("timeout", ["timeout"]), undefined);
});

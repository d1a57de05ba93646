import { test } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { compilePattern, type PatternJson } from "./like-pattern.ts";

function pattern(text: string): PatternJson {
  return Array.from(text, (character) => (character === "*" ? "Wildcard" : { Literal: character }));
}

void test("compilePattern() agrees with a regular expression of the same meaning", () => {
  const characters = fc.array(fc.constantFrom("a", "b", "\u{1f600}"), { maxLength: 8 });
  const wild = fc.array(fc.constantFrom("a", "b", "*", "\u{1f600}"), { maxLength: 6 });
  fc.assert(
    fc.property(characters, wild, (text, parts) => {
      const expected = new RegExp(`^${parts.join("").replaceAll("*", "[^]*")}$`, "u");
      const matches = compilePattern(pattern(parts.join("")));
      assert.equal(matches(text.join("")), expected.test(text.join("")));
    }),
    { numRuns: 2000 },
  );
});

void test("compilePattern() does not let prefix and suffix share characters", () => {
  assert.equal(compilePattern(pattern("ab*ba"))("aba"), false);
  assert.equal(compilePattern(pattern("ab*ba"))("abba"), true);
  assert.equal(compilePattern(pattern("a*b*c"))("ac"), false);
});

void test("compilePattern() is not slow on text that almost matches", () => {
  const text = "a".repeat(100_000);
  const matches = compilePattern(pattern(`${"a*".repeat(30)}b`));
  const began = performance.now();
  assert.equal(matches(`${text}c`), false);
  assert.ok(performance.now() - began < 1000);
});

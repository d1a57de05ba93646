import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { compileNamePattern, type NameKind } from "./name-pattern.ts";

const CASES: readonly (readonly [NameKind, string, string, boolean])[] = [
  ["dns", "api.example.com", "api.example.com", true],
  ["dns", "API.example.com", "api.EXAMPLE.com", true],
  ["dns", "*.example.com", "api.example.com", true],
  ["dns", "*.example.com", "a.b.example.com", false],
  ["dns", "*.example.com", ".example.com", false],
  ["dns", "*.example.com", "example.com", false],
  ["dns", "*.example.com", "api.example.com.evil.org", false],
  ["dns", "dev-*.example.com", "dev-7.example.com", true],
  ["uri", "urn:device:*", "urn:device:42", true],
  ["uri", "urn:device:*", "urn:device:42:admin", false],
  ["uri", "https://example.com/d/*", "https://example.com/d/42", true],
  ["uri", "https://example.com/d/*", "https://example.com/d/42/x", false],
  ["uri", "https://*/d", "https://evil.org?/d", false],
  ["email", "*@example.com", "ann@example.com", true],
  ["email", "*@example.com", "ann@evil.org@example.com", false],
  ["email", "*@example.com", "@example.com", false],
  ["subject", "CN=*,O=Acme", "CN=device 7,O=Acme", true],
  ["subject", "CN=*,O=Acme", "CN=x,O=Acme,O=Evil", false],
  ["subject", "CN=*,O=Acme", "CN=x,O=Evil,O=Acme", false],
  ["subject", "CN=*,O=Acme", "CN=x\\,O=Acme", false],
  ["subject", "CN=*,O=Acme", "CN=x\\,y,O=Acme", true],
  ["subject", "CN=*,O=Acme", "CN=a+OU=b,O=Acme", false],
  ["commonName", "device-*", "device-42", true],
  ["commonName", "device-*", "my-device-42", false],
  ["commonName", "*", "", false],
];

for (const [kind, pattern, name, expected] of CASES) {
  test(`compileNamePattern() ${expected ? "fits" : "does not fit"} ${kind} ${pattern} to ${name}`, () => {
    assert.equal(compileNamePattern(kind, pattern).fits(name), expected);
  });
}

test("compileNamePattern() agrees with a regular expression of the same meaning", () => {
  const letters = fc.array(fc.constantFrom("a", "b", ".", "*"), { maxLength: 8 });
  const names = fc.array(fc.constantFrom("a", "b", "."), { maxLength: 10 });
  fc.assert(
    fc.property(letters, names, (pattern, name) => {
      const source = pattern.map((one) => (one === "*" ? "[^.]+" : one === "." ? "\\." : one));
      const oracle = new RegExp(`^${source.join("")}$`).test(name.join(""));
      assert.equal(compileNamePattern("dns", pattern.join("")).fits(name.join("")), oracle);
    }),
    { numRuns: 5000 },
  );
});

test("compileNamePattern() takes no longer for a pattern that nearly fits everywhere", () => {
  const pattern = compileNamePattern("commonName", `${"a*".repeat(20)}b`);
  const began = performance.now();
  for (let count = 0; count < 50; count++) assert.equal(pattern.fits("a".repeat(2048)), false);
  // A matcher that tries every way does not end within a century.
  assert.ok(performance.now() - began < 5000);
});

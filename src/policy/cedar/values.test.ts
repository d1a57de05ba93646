import { test } from "node:test";
import assert from "node:assert/strict";
import { CedarRecord, CedarSet, EntityUid, valuesEqual, type Value } from "./values.ts";
import { parseDecimal } from "./decimal.ts";
import { parseDuration } from "./duration.ts";
import { parseDatetime } from "./datetime.ts";
import { parseIpAddress } from "./ip-address.ts";

/** One of each kind, all different. */
function oneOfEach(): Value[] {
  return [
    true,
    "x",
    0,
    2n ** 60n,
    new CedarSet([]),
    new CedarSet([1, "a"]),
    new CedarRecord(new Map()),
    new CedarRecord(new Map<string, Value>([["a", new CedarSet([1])]])),
    new EntityUid("User", "x"),
    new EntityUid("N::User", "x"),
    parseIpAddress("1.2.3.4"),
    parseDecimal("0.0"),
    parseDatetime("1970-01-01"),
    parseDuration("0ms"),
  ];
}

void test("valuesEqual() is equality within a type and false across types", () => {
  for (const [row, left] of oneOfEach().entries()) {
    for (const [column, right] of oneOfEach().entries()) {
      assert.equal(valuesEqual(left, right), row === column, `${String(row)} ${String(column)}`);
    }
  }
});

void test("CedarSet drops duplicates of every type and ignores order", () => {
  const doubled = new CedarSet([...oneOfEach(), ...oneOfEach().toReversed()]);
  assert.equal(doubled.elements.length, oneOfEach().length);
  assert.ok(valuesEqual(doubled, new CedarSet(oneOfEach().toReversed())));
});

void test("contains() finds a value of every type in a set too large to scan", () => {
  const filler = Array.from({ length: 100 }, (_, index) => `s${String(index)}`);
  const large = new CedarSet([...filler, ...oneOfEach()]);
  for (const value of oneOfEach()) assert.ok(large.contains(value));
  for (const absent of [false, "es0", 1, new EntityUid("User", "y"), parseIpAddress("::1")]) {
    assert.ok(!large.contains(absent));
  }
});

void test("a string never passes for an entity in a set, whatever it says", () => {
  const { key } = new EntityUid("User", "x");
  const entities = Array.from({ length: 20 }, (_, index) => new EntityUid("User", String(index)));
  const large = new CedarSet([...entities, new EntityUid("User", "x")]);
  assert.ok(!large.contains(key) && !large.contains(`e${key}`));
});

void test("EntityUid keys are different for different uids, quotes in ids included", () => {
  const keys = [
    new EntityUid("A", 'b"::C::"d'),
    new EntityUid("A", "b"),
    new EntityUid("A::B", "c"),
    new EntityUid("A", 'B::"c'),
  ].map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
});

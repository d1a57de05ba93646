import assert from "node:assert/strict";
import { test } from "node:test";
import { ShardedMap } from "./sharded-map.ts";

test("ShardedMap is a map of texts", () => {
  const map = new ShardedMap<number>();
  const keys = [
    "",
    "a",
    "é",
    'Sallyport::User::"corp/a',
    'Sallyport::User::"corp/b',
    "b".repeat(9),
  ];
  for (const [index, key] of keys.entries()) map.set(key, index);
  map.set("a", 7);
  assert.equal(map.size, keys.length);
  for (const [index, key] of keys.entries()) assert.equal(map.get(key), key === "a" ? 7 : index);
  assert.equal(map.get("c"), undefined);
});

const COUNT = 20_000;

test("ShardedMap never grows by more than a slice takes, however entities are named", () => {
  const names: readonly ((index: number) => string)[] = [
    (index) => `w${index}`,
    (index) => `team-${index % 100}/user-${index}@example.com`,
    (index) => `spiffe://example.org/ns/n${index % 50}/sa/s${index}`,
    (index) => index.toString(16).padStart(8, "0").padEnd(32, "0123456789abcdef"),
    (index) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`,
  ];
  for (const [which, name] of names.entries()) {
    const map = new ShardedMap<number>();
    for (let index = 0; index < COUNT; index++) {
      map.set(`Sallyport::Workload::"corp/${name(index)}`, index);
    }
    assert.equal(map.size, COUNT);
    // On the average each of 256 has 78; a map of 20 000 would take a millisecond and more.
    assert.ok(map.fullest < 1000, `${which}: ${map.fullest}`);
  }
});

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createKeyIds } from "./key-ids.ts";

test("createKeyIds() gives 128 random bits each time, and none of them twice", () => {
  let asked = 0;
  const next = createKeyIds((bytes) => {
    asked += 1;
    return randomBytes(bytes);
  });
  const ids = Array.from({ length: 1000 }, () => next());
  assert.equal(new Set(ids).size, 1000);
  for (const id of ids) {
    assert.match(id, /^[A-Za-z0-9_-]{22}$/);
    assert.notEqual(id, "A".repeat(22));
  }
  assert.ok(asked < 10, "the system is not asked for each");
});

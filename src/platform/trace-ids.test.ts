import assert from "node:assert/strict";
import { test } from "node:test";
import { createTraceparents } from "./trace-ids.ts";

test("createTraceparents() makes distinct, well-formed, unsampled values across pool refills", () => {
  const next = createTraceparents();
  const seen = new Set<string>();
  for (let count = 0; count < 1000; count++) {
    const value = next();
    assert.match(value, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    seen.add(value);
  }
  assert.equal(seen.size, 1000);
});

test("createTraceparents() draws again when the pool is used up", () => {
  let draws = 0;
  const next = createTraceparents((buffer) => buffer.fill(++draws));
  const values = Array.from({ length: 257 }, () => next());
  assert.equal(draws, 2);
  assert.match(values[256] ?? "", /^00-02020202/);
});

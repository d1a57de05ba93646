import assert from "node:assert/strict";
import { test } from "node:test";
import { retryAfterMs } from "./retry-after.ts";

const NOW = Date.parse("2026-11-24T04:05:06Z");

test("retryAfterMs() reads seconds and dates", () => {
  assert.equal(retryAfterMs("0", NOW), 0);
  assert.equal(retryAfterMs("120", NOW), 120_000);
  assert.equal(retryAfterMs("Tue, 24 Nov 2026 04:05:36 GMT", NOW), 30_000);
  assert.equal(retryAfterMs("Tue, 24 Nov 2026 04:00:00 GMT", NOW), 0);
});

test("retryAfterMs() takes nothing else", () => {
  for (const value of [undefined, "", "-1", "1.5", "soon", "1e9", "9".repeat(10), "2026-11-24"]) {
    assert.equal(retryAfterMs(value, NOW), undefined, String(value));
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { storeTime } from "./store-time.ts";

test("storeTime() is the machine's, save that it does not go back by a small step", () => {
  const last = 1_000_000_000;
  assert.equal(storeTime(last, last + 5), last + 5);
  assert.equal(storeTime(last, last), last);
  assert.equal(storeTime(last, last - 1), last);
  assert.equal(storeTime(last, last - 60_000), last);
  // A clock that was wrong by more is believed anew: else all commits had its time until then.
  assert.equal(storeTime(last, last - 60_001), last - 60_001);
});

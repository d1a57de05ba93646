import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionSchema } from "./session-options.ts";
import { SessionTimes } from "./session-times.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const options = sessionSchema.parse({ refreshAhead: "1m", outage: "5m" });
const times = new SessionTimes(options, true);
const still = new SessionTimes(options, false);

test("isFromFuture() lets clocks differ by five minutes, in either of both times", () => {
  for (const [beganMs, usedMs, future] of [
    [NOW, NOW, false],
    [NOW + 5 * MINUTE, NOW, false],
    [NOW + 5 * MINUTE + 1, NOW, true],
    [NOW, NOW + 5 * MINUTE, false],
    [NOW, NOW + 5 * MINUTE + 1, true],
  ] as const) {
    assert.equal(times.isFromFuture({ beganMs, usedMs }, NOW), future);
  }
});

test("isFormer() gives a former cookie two minutes from when its browser came with a newer one", () => {
  const seen = { generation: 2, atMs: NOW };
  const ends = NOW + 2 * MINUTE;
  assert.equal(times.isFormer(1, seen, ends - 1), false);
  assert.equal(times.isFormer(1, seen, ends), true);
  for (const generation of [2, 3]) assert.equal(times.isFormer(generation, seen, ends), false);
});

test("ofTokens() has nothing to refresh without a refresh token, whatever the access token says", () => {
  const expiresAt = NOW / 1000 + 600;
  const nothing = { accessExpiresMs: undefined, refreshMs: undefined };
  assert.deepEqual(times.ofTokens({ expiresAt, refreshToken: undefined }, NOW), nothing);
  const ends = NOW + 600_000;
  assert.deepEqual(times.ofTokens({ expiresAt, refreshToken: "r" }, NOW), {
    accessExpiresMs: ends,
    refreshMs: ends - MINUTE,
  });
  assert.deepEqual(times.ofTokens({ expiresAt: undefined, refreshToken: "r" }, NOW), {
    accessExpiresMs: NOW + 5 * MINUTE,
    refreshMs: NOW + 4 * MINUTE,
  });
});

test("refreshDue() is ahead from its time on, and now from the end of the access token on", () => {
  const access = { refreshMs: NOW, accessExpiresMs: NOW + MINUTE };
  for (const [at, due] of [
    [NOW - 1, undefined],
    [NOW, "ahead"],
    [NOW + MINUTE - 1, "ahead"],
    [NOW + MINUTE, "now"],
  ] as const) {
    assert.equal(times.refreshDue(access, at), due);
    assert.equal(still.refreshDue(access, at), undefined, "there is nobody to ask");
  }
  assert.equal(times.refreshDue({ ...access, refreshMs: undefined }, NOW + MINUTE), undefined);
  assert.equal(times.refreshDue({ refreshMs: NOW, accessExpiresMs: undefined }, NOW), "ahead");
});

test("isOutOfDate() is true once the outage that is borne is over", () => {
  assert.equal(times.isOutOfDate({ refreshMs: 0, accessExpiresMs: NOW }, NOW + 5 * MINUTE), true);
  const before = NOW + 5 * MINUTE - 1;
  assert.equal(times.isOutOfDate({ refreshMs: 0, accessExpiresMs: NOW }, before), false);
  const unsaid = { refreshMs: 0, accessExpiresMs: undefined };
  assert.equal(times.isOutOfDate(unsaid, Number.MAX_SAFE_INTEGER), false);
});

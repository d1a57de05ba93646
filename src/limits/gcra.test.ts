import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { createGcra } from "./gcra.ts";
import type { RatePolicy } from "../model/rate.ts";

const random = (bytes: number): Uint8Array => {
  let state = 7;
  return Uint8Array.from(
    { length: bytes },
    () => (state = (state * 16_807) % 2_147_483_647) & 0xff,
  );
};

test("createGcra() lets a burst through, then one for each interval", () => {
  const limiter = createGcra({ requests: 3, perMs: 1000, burst: 3 });
  const first = [0, 0, 0].map((now) => limiter.take("a", 1, now));
  assert.deepEqual(
    first.map(({ allowed, remaining, resetMs }) => [allowed, remaining, resetMs]),
    [
      [true, 2, 334],
      [true, 1, 667],
      [true, 0, 1000],
    ],
  );
  const refused = limiter.take("a", 1, 0);
  assert.deepEqual(refused, { allowed: false, remaining: 0, retryMs: 334, resetMs: 1000 });
  assert.equal(limiter.take("a", 1, 333).allowed, false);
  assert.equal(limiter.take("a", 1, 334).allowed, true);
  assert.equal(limiter.take("b", 1, 0).allowed, true, "another key has its own");
});

test("createGcra() takes nothing for what it refuses, and gives back what was taken", () => {
  const limiter = createGcra({ requests: 1, perMs: 1000, burst: 1 });
  assert.equal(limiter.take("a", 1, 0).allowed, true);
  for (let index = 0; index < 100; index++) assert.equal(limiter.take("a", 1, 999).allowed, false);
  assert.equal(limiter.take("a", 1, 1000).allowed, true);
  limiter.giveBack("a", 1, 1000);
  assert.equal(limiter.take("a", 1, 1000).allowed, true);
  assert.equal(limiter.take("a", 1, 1000).allowed, false);
  assert.equal(limiter.take("c", 2, 0).allowed, false, "more than the whole burst never fits");
});

test("createGcra() refuses a rate that is none", () => {
  for (const wrong of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => createGcra({ requests: wrong, perMs: 1000, burst: 1 }), TypeError);
    assert.throws(() => createGcra({ requests: 1, perMs: 1000, burst: wrong }), TypeError);
  }
});

const policies: fc.Arbitrary<RatePolicy> = fc.record({
  requests: fc.integer({ min: 1, max: 1000 }),
  perMs: fc.integer({ min: 1, max: 600 }).map((seconds) => seconds * 100),
  burst: fc.integer({ min: 1, max: 50 }),
});
const gaps = fc.array(fc.double({ min: 0, max: 3000, noNaN: true }), { maxLength: 200 });

test("in no stretch of time does more come through than burst and rate allow", () => {
  fc.assert(
    fc.property(policies, gaps, fc.integer({ min: 0, max: 2 ** 36 }), (policy, waits, start) => {
      const limiter = createGcra(policy);
      const admitted: number[] = [];
      let now = start;
      for (const wait of waits) {
        now += wait;
        if (limiter.take("key", 1, now).allowed) admitted.push(Math.floor(now));
      }
      for (let from = 0; from < admitted.length; from++) {
        for (let to = from; to < admitted.length; to++) {
          const span = (admitted[to] ?? 0) - (admitted[from] ?? 0);
          const most = policy.burst + Math.floor((span * policy.requests) / policy.perMs);
          assert.ok(to - from + 1 <= most, `${to - from + 1} in ${span} ms, at most ${most}`);
        }
      }
    }),
  );
});

test("who keeps to the answer is let through: retryMs and remaining are what they say", () => {
  fc.assert(
    fc.property(policies, gaps, (policy, waits) => {
      const limiter = createGcra(policy);
      let now = 0;
      for (const wait of waits) {
        now = Math.floor(now + wait);
        const verdict = limiter.take("key", 1, now);
        if (verdict.allowed) {
          const probe = createGcra(policy);
          assert.equal(verdict.retryMs, 0);
          assert.ok(verdict.remaining < policy.burst);
          assert.ok(probe.take("key", 1, now).allowed);
        } else {
          assert.equal(verdict.remaining, 0);
          assert.equal(limiter.take("key", 1, now + verdict.retryMs - 1).allowed, false);
          now += verdict.retryMs;
          assert.equal(limiter.take("key", 1, now).allowed, true);
        }
      }
    }),
  );
});

test("a million keys take no more memory than the limit, and reset nobody", () => {
  let overflowed = 0;
  const limiter = createGcra(
    { requests: 1, perMs: 3_600_000, burst: 5 },
    { random, overflowed: () => (overflowed += 1) },
  );
  for (let index = 0; index < 5; index++) assert.ok(limiter.take("first", 1, 0).allowed);
  for (let key = 0; key < 1_000_000; key++) limiter.take(`stranger-${key}`, 1, 0);
  assert.ok(limiter.keys <= 65_536, `${limiter.keys}`);
  assert.ok(overflowed > 100_000, `${overflowed}`);
  assert.equal(limiter.take("first", 1, 0).allowed, false, "the flood won nothing for its sender");
});

test("a key that came when the table was full is counted too, and no flood makes it forgotten", () => {
  const limiter = createGcra({ requests: 1, perMs: 3_600_000, burst: 5 }, { random, maxKeys: 100 });
  for (let key = 0; key < 5000; key++) limiter.take(`stranger-${key}`, 1, 0);
  let late = 0;
  while (late < 10 && limiter.take("late", 1, 0).allowed) late += 1;
  assert.equal(late, 5);
  for (let key = 0; key < 5000; key++) limiter.take(`more-${key}`, 1, 1);
  assert.equal(limiter.take("late", 1, 1).allowed, false);
});

test("keys that owe nothing make room: later ones are counted by themselves again", () => {
  let overflowed = 0;
  const limiter = createGcra(
    { requests: 10, perMs: 1000, burst: 10 },
    { random, maxKeys: 100, overflowed: () => (overflowed += 1) },
  );
  for (let round = 0; round < 50; round++) {
    for (let key = 0; key < 100; key++) limiter.take(`${round}-${key}`, 1, round * 200);
  }
  assert.equal(overflowed, 0);
  assert.ok(limiter.keys <= 100);
});

test("the table of keys shrinks by itself when most have rested", () => {
  const limiter = createGcra({ requests: 10, perMs: 1000, burst: 10 }, { random });
  for (let key = 0; key < 10_000; key++) limiter.take(`old-${key}`, 1, 0);
  for (let key = 0; key < 12_000; key++) limiter.take(`new-${key}`, 1, 1000 + key * 100);
  assert.ok(limiter.keys < 100, `${limiter.keys}`);
});

test("with any keys and a small table, none gets more than its own limit", () => {
  const takes = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 50 })),
    {
      maxLength: 400,
    },
  );
  fc.assert(
    fc.property(policies, takes, fc.integer({ min: 1, max: 8 }), (policy, list, maxKeys) => {
      const small = createGcra(policy, { random, maxKeys });
      const exact = createGcra(policy, { random });
      let now = 0;
      for (const [key, wait] of list) {
        now += wait;
        const got = small.take(String(key), 1, now).allowed;
        // The exact one hears only of what was let through, so it says whether that was right.
        if (got) assert.ok(exact.take(String(key), 1, now).allowed);
      }
    }),
  );
});

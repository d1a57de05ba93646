import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  currentOf,
  nextDueMs,
  type Scheduled,
  type SchedulePolicy,
  SKEW_MS,
  type Step,
  stepsDue,
  stepsToRotate,
  timesFrom,
} from "./schedule.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = 1_800_000_000_000;

const POLICY: SchedulePolicy = {
  rotateMs: 10 * HOUR,
  graceMs: 5 * HOUR,
  lifetimeMs: HOUR,
  aheadMs: HOUR,
  makeMs: 3 * HOUR,
};

interface Key extends Scheduled {
  readonly name: string;
}

/** What a store would hold after these steps. */
function applied(keys: readonly Key[], steps: readonly Step<Key>[]): Key[] {
  let next = [...keys];
  for (const step of steps) {
    if (step.do === "make") {
      next.push({ name: `k${next.length}-${step.times.createdMs}`, signs: true, ...step.times });
      continue;
    }
    const change = (one: Key): Key[] => {
      if (one !== step.key) return [one];
      if (step.do === "remove") return [];
      return [step.do === "move" ? { ...one, ...step.times } : { ...one, signs: false }];
    };
    next = next.flatMap(change);
  }
  return next;
}

function key(activeMs: number, overrides: Partial<Key> = {}): Key {
  return { name: "k", signs: true, ...timesFrom(POLICY, activeMs - HOUR, activeMs), ...overrides };
}

test("stepsDue() makes a first key that signs at once", () => {
  const [step, ...others] = stepsDue<Key>([], POLICY, T0);
  assert.ok(step?.do === "make" && others.length === 0);
  assert.deepEqual([step.times.createdMs, step.times.activeMs], [T0, T0]);
});

test("stepsDue() makes the next key in time, and one only", () => {
  const first = key(T0);
  const makeAt = T0 + POLICY.rotateMs - POLICY.makeMs;
  assert.deepEqual(stepsDue([first], POLICY, makeAt - 1), []);
  const [step] = stepsDue([first], POLICY, makeAt);
  assert.ok(step?.do === "make");
  assert.equal(step.times.activeMs, T0 + POLICY.rotateMs);
  assert.deepEqual(stepsDue(applied([first], [step]), POLICY, makeAt + 1), []);
});

test("stepsDue() late still publishes ahead, as long as the former key may sign", () => {
  const first = key(T0);
  const dueMs = T0 + POLICY.rotateMs;
  for (const [lateMs, expected] of [
    [dueMs - HOUR / 2, dueMs + HOUR / 2],
    [dueMs + HOUR, dueMs + 2 * HOUR],
    [first.retiredMs - HOUR / 2, first.retiredMs],
    [first.retiredMs - 1, first.retiredMs],
  ] as const) {
    const [step] = stepsDue([first], POLICY, lateMs);
    assert.ok(step?.do === "make");
    assert.equal(step.times.activeMs, expected);
  }
  const [step] = stepsDue([first], POLICY, first.retiredMs);
  assert.ok(step?.do === "make" && step.times.activeMs === first.retiredMs);
});

test("stepsDue() brings the next key forward where nothing else may sign", () => {
  const upcoming = key(T0 + 5 * HOUR);
  const [step] = stepsDue([upcoming], POLICY, T0);
  assert.ok(step?.do === "move" && step.key === upcoming);
  assert.equal(step.times.activeMs, T0);
  // Where it begins in a moment it is used as it is.
  assert.deepEqual(stepsDue([key(T0 + SKEW_MS)], POLICY, T0), []);
  assert.equal(currentOf([key(T0 + SKEW_MS)], T0)?.activeMs, T0 + SKEW_MS);
  assert.equal(currentOf([key(T0 + SKEW_MS + 1)], T0), undefined);
});

test("stepsDue() changes each key once, also where it is brought forward and its life was made longer", () => {
  const upcoming = key(T0 + 5 * HOUR);
  const policy = { ...POLICY, lifetimeMs: 3 * HOUR };
  const steps = stepsDue([upcoming], policy, T0);
  assert.equal(steps.length, 1);
  assert.ok(steps[0]?.do === "move");
  assert.deepEqual(steps[0].times, timesFrom(policy, upcoming.createdMs, T0));
});

test("stepsDue() erases what is retired, and removes it when all that it signed is over", () => {
  const old = key(T0 - 20 * HOUR);
  const now = key(T0 - 10 * HOUR + 3 * HOUR);
  const kinds = (atMs: number): string[] =>
    stepsDue([old, now, key(T0 + 3 * HOUR)], POLICY, atMs).map((step) => step.do);
  assert.deepEqual(kinds(old.retiredMs + SKEW_MS - 1), []);
  assert.deepEqual(kinds(old.retiredMs + SKEW_MS), ["erase"]);
  assert.equal(old.removedMs, old.retiredMs + HOUR + 2 * SKEW_MS);
  const atEnd = stepsDue([{ ...old, signs: false }], POLICY, old.removedMs - 1);
  assert.ok(!atEnd.some((step) => step.do === "remove"));
  assert.ok(
    stepsDue([{ ...old, signs: false }], POLICY, old.removedMs).some(
      (step) => step.do === "remove",
    ),
  );
});

test("stepsDue() lengthens what is published, and never shortens it, when lives change", () => {
  const keys = [key(T0)];
  const longer = stepsDue(keys, { ...POLICY, lifetimeMs: 2 * HOUR }, T0);
  assert.ok(longer[0]?.do === "move");
  assert.equal(longer[0].times.removedMs, (keys[0]?.removedMs ?? 0) + HOUR);
  assert.equal(longer[0].times.activeMs, T0);
  assert.deepEqual(stepsDue(keys, { ...POLICY, lifetimeMs: MINUTE }, T0), []);
});

test("stepsToRotate() has the next key sign as soon as it is known, and never twice", () => {
  const [made] = stepsToRotate([key(T0)], POLICY, T0 + HOUR);
  assert.ok(made?.do === "make");
  assert.equal(made.times.activeMs, T0 + HOUR + POLICY.aheadMs);
  const both = applied([key(T0)], [made]);
  assert.deepEqual(stepsToRotate(both, POLICY, T0 + HOUR + MINUTE), []);
  // And before the former one is retired: otherwise nothing would sign in between.
  const old = key(T0);
  const [soon] = stepsToRotate([old], POLICY, old.retiredMs - MINUTE);
  assert.ok(soon?.do === "make");
  assert.equal(soon.times.activeMs, old.retiredMs);
  // One that lies ahead by the schedule comes earlier, and not before it is known.
  const ahead = key(T0 + 10 * HOUR, { createdMs: T0 + 2 * HOUR });
  const [moved] = stepsToRotate([key(T0), ahead], POLICY, T0 + 2 * HOUR);
  assert.ok(moved?.do === "move");
  assert.equal(moved.times.activeMs, T0 + 2 * HOUR + POLICY.aheadMs);
  assert.equal(moved.times.createdMs, ahead.createdMs);
});

/** Looks at the schedule at its own due times and at others, with pauses in which nothing is done. */
const looks = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant("due" as const) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 4 * HOUR }) },
    { weight: 1, arbitrary: fc.integer({ min: 4 * HOUR, max: 100 * HOUR }) },
  ),
  { minLength: 10, maxLength: 80 },
);

const lengths = fc
  .record({
    rotateMs: fc.integer({ min: 3 * HOUR, max: 400 * HOUR }),
    graceMs: fc.integer({ min: 0, max: 20 * HOUR }),
    lifetimeMs: fc.integer({ min: 1000, max: 24 * HOUR }),
    aheadMs: fc.integer({ min: MINUTE, max: HOUR }),
    spareMs: fc.integer({ min: 0, max: HOUR }),
  })
  .map(({ spareMs, ...rest }): SchedulePolicy => ({ ...rest, makeMs: rest.aheadMs + spareMs }));

test("the schedule, looked at whenever, always has a key that signs, settles at once, and keeps few", () => {
  fc.assert(
    fc.property(looks, lengths, fc.boolean(), (pauses, policy, asks) => {
      let nowMs = T0;
      let keys = applied([], stepsDue<Key>([], policy, nowMs));
      for (const [index, pause] of pauses.entries()) {
        const dueMs = nextDueMs(keys, policy, nowMs);
        assert.ok(dueMs > nowMs);
        nowMs = pause === "due" ? dueMs : nowMs + pause;
        const before = currentOf(keys, nowMs);
        if (asks && index % 7 === 3) keys = applied(keys, stepsToRotate(keys, policy, nowMs));
        keys = applied(keys, stepsDue(keys, policy, nowMs));
        assert.deepEqual(stepsDue(keys, policy, nowMs), [], "one look is enough");
        const current = currentOf(keys, nowMs);
        assert.ok(current !== undefined, "a key signs");
        // A look changes who signs only where nothing could, or to a key that everybody knows.
        if (before !== undefined && current.name !== before.name) {
          assert.ok(asks && nowMs >= current.createdMs + policy.aheadMs);
        }
        assert.ok(keys.filter(({ activeMs }) => activeMs > nowMs).length <= 1);
        const span = policy.rotateMs + policy.graceMs + policy.lifetimeMs + 2 * SKEW_MS;
        const most = span / Math.min(policy.rotateMs, Math.max(policy.aheadMs, 1)) + 3;
        assert.ok(keys.length <= (asks ? most : span / policy.rotateMs + 3), `${keys.length} keys`);
      }
    }),
    { numRuns: 500 },
  );
});

test("the schedule publishes each key for `aheadMs` before it signs, unless nothing else could sign", () => {
  fc.assert(
    fc.property(looks, lengths, (pauses, policy) => {
      let nowMs = T0;
      let keys = applied([], stepsDue<Key>([], policy, nowMs));
      for (const pause of pauses) {
        nowMs = pause === "due" ? nextDueMs(keys, policy, nowMs) : nowMs + pause;
        const former = keys.filter(({ signs }) => signs);
        for (const step of stepsDue(keys, policy, nowMs)) {
          if (step.do !== "make") continue;
          const { createdMs, activeMs } = step.times;
          assert.equal(createdMs, nowMs);
          const last = Math.max(...former.map(({ retiredMs }) => retiredMs));
          assert.ok(activeMs >= nowMs + policy.aheadMs || activeMs >= Math.min(last, activeMs));
          if (activeMs < nowMs + policy.aheadMs) assert.equal(activeMs, Math.max(nowMs, last));
        }
        keys = applied(keys, stepsDue(keys, policy, nowMs));
      }
    }),
    { numRuns: 300 },
  );
});

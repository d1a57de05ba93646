import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../platform/clock.ts";
import { StoreTime } from "./store-time.ts";

const T0 = 1_800_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function ground() {
  const clock = new ManualClock(T0);
  const time = new StoreTime(clock);
  const hear = (storeMs: number) => time.ask(() => Promise.resolve({ timeMs: storeMs }));
  return { clock, time, hear };
}

test("now() goes by the store and by the clock that never goes back", async () => {
  const { clock, time, hear } = ground();
  await hear(T0 + 30_000);
  assert.equal(time.now(), T0 + 30_000);
  clock.advance(1234);
  assert.equal(time.now(), T0 + 31_234);
  clock.now = () => 0;
  assert.equal(time.now(), T0 + 31_234);
  assert.equal(time.steady, true);
});

test("ask() takes the answer as of the middle of the asking", async () => {
  const { clock, time } = ground();
  await time.ask(() => {
    clock.advance(1000);
    return Promise.resolve({ timeMs: T0 + 500 });
  });
  assert.equal(time.now(), T0 + 1000);
});

test("ask() does not believe a jump before it has held for five minutes", async () => {
  for (const jump of [-HOUR, HOUR]) {
    const { clock, time, hear } = ground();
    await hear(T0);
    let passed = 0;
    const advance = (ms: number): void => {
      passed += ms;
      clock.advance(ms);
    };
    // The wall clock jumps as well: store and process are on one machine.
    const real = clock.now.bind(clock);
    clock.now = () => real() + jump;
    for (let round = 0; round < 5; round++) {
      advance(MINUTE);
      await hear(T0 + passed + jump);
      assert.equal(time.now(), T0 + passed);
      assert.equal(time.steady, false);
    }
    advance(MINUTE);
    await hear(T0 + passed + jump);
    assert.equal(time.now(), T0 + passed + jump);
    assert.equal(time.steady, true);
  }
});

test("ask() forgets a jump that is taken back, and counts another one anew", async () => {
  const { clock, time, hear } = ground();
  await hear(T0);
  await hear(T0 + HOUR);
  assert.equal(time.steady, false);
  clock.advance(4 * MINUTE);
  await hear(T0 + 4 * MINUTE);
  assert.equal(time.steady, true);
  await hear(T0 + HOUR);
  clock.advance(4 * MINUTE);
  await hear(T0 + 3 * HOUR);
  clock.advance(4 * MINUTE);
  await hear(T0 + 3 * HOUR + 4 * MINUTE);
  assert.equal(time.now(), T0 + 12 * MINUTE - 4 * MINUTE + 4 * MINUTE);
  assert.equal(time.steady, false);
});

test("ask() is not steady while the store's clock and this machine's are far apart", async () => {
  const { time, hear } = ground();
  assert.equal(time.steady, false, "before anything was heard");
  await hear(T0 + 6 * MINUTE);
  assert.equal(time.now(), T0 + 6 * MINUTE);
  assert.equal(time.steady, false);
  const other = ground();
  await other.hear(T0 + 4 * MINUTE);
  assert.equal(other.time.steady, true);
});

test("ask() passes on what the store rejects with, and changes nothing", async () => {
  const { time, hear } = ground();
  await hear(T0);
  await assert.rejects(
    time.ask(() => Promise.reject(new Error("away"))),
    /away/,
  );
  assert.equal(time.now(), T0);
  assert.equal(time.steady, true);
});

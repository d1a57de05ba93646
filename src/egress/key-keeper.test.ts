/** A key kept at hand, with the clock and the timers in the test's hands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import type { HeldKey } from "./held-key.ts";
import { KeyFault, refused, unavailable } from "./key-fault.ts";
import { createKeyKeeper } from "./key-keeper.ts";

const LIFE_MS = 300_000;

/** An authority that answers when the test says so. */
class Ground {
  readonly clock = new ManualClock(0);
  readonly timers = new ManualTimers();
  readonly noted: string[] = [];
  asked = 0;
  random = 0.5;
  #answer: ((outcome: HeldKey | KeyFault) => void) | undefined;
  readonly keeper = createKeyKeeper({
    clock: this.clock,
    timers: this.timers,
    random: () => this.random,
    obtain: async () => {
      this.asked += 1;
      return await new Promise((resolve) => {
        this.#answer = resolve;
      });
    },
    noted: (outcome) => this.noted.push(outcome instanceof KeyFault ? outcome.detail : outcome),
  });

  key(lifeMs = LIFE_MS): HeldKey {
    const obtainedAt = this.clock.monotonic();
    const authorization = `Bearer key-${this.asked}`;
    return { authorization, ath: undefined, obtainedAt, expiresAt: obtainedAt + lifeMs };
  }

  async answer(outcome: HeldKey | KeyFault = this.key()): Promise<void> {
    this.#answer?.(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** What `current()` gives at once; undefined: it would have to be waited for. */
  get now(): string | undefined {
    const current = this.keeper.current();
    if (current instanceof Promise) return undefined;
    return current instanceof KeyFault ? current.detail : current.authorization;
  }

  /** Turns the clock and runs what is due by then. */
  pass(ms: number): void {
    this.clock.advance(ms);
    this.timers.runFirst((delay) => delay <= ms);
  }
}

async function withKey(): Promise<Ground> {
  const ground = new Ground();
  const started = ground.keeper.start();
  await ground.answer();
  await started;
  return ground;
}

test("current() asks once, whoever waits for the first key", async () => {
  const ground = new Ground();
  const waiting = Array.from({ length: 3 }, async () => await ground.keeper.current());
  await ground.answer();
  const keys = await Promise.all(waiting);
  assert.deepEqual(new Set(keys).size, 1);
  assert.deepEqual([ground.asked, ground.now, ground.noted], [1, "Bearer key-1", ["obtained"]]);
});

test("a key that is used is renewed ahead of its expiry, and serves meanwhile", async () => {
  const ground = await withKey();
  assert.deepEqual(ground.timers.delays, [0.7 * LIFE_MS]);
  assert.equal(ground.now, "Bearer key-1");
  ground.pass(0.7 * LIFE_MS);
  assert.deepEqual([ground.asked, ground.now], [2, "Bearer key-1"]);
  await ground.answer();
  assert.equal(ground.now, "Bearer key-2");
});

test("the moment of renewal is drawn, within bounds", async () => {
  for (const [random, delay] of [
    [0, 0.6 * LIFE_MS],
    [0.999, 0.7998 * LIFE_MS],
  ] as const) {
    const ground = new Ground();
    ground.random = random;
    void ground.keeper.start();
    await ground.answer();
    assert.deepEqual(ground.timers.delays.map(Math.round), [Math.round(delay)]);
  }
});

test("a key that nobody uses is left to expire, and the next call asks for another", async () => {
  const ground = await withKey();
  ground.pass(0.7 * LIFE_MS);
  assert.equal(ground.asked, 1);
  ground.clock.advance(LIFE_MS);
  assert.deepEqual(ground.keeper.standing(), {
    ready: true,
    text: "no key while nobody calls",
    leftMs: undefined,
  });
  assert.equal(ground.now, undefined);
  assert.equal(ground.asked, 2);
});

test("a key that is used only after the moment of renewal is renewed beside the call", async () => {
  const ground = await withKey();
  ground.pass(0.7 * LIFE_MS);
  assert.deepEqual([ground.now, ground.asked], ["Bearer key-1", 2]);
});

test("a key is used no more a moment before it expires", async () => {
  const ground = await withKey();
  ground.clock.advance(LIFE_MS - 1001);
  assert.equal(ground.now, "Bearer key-1");
  ground.clock.advance(1);
  assert.equal(ground.now, undefined);
});

test("while the authority is away the key at hand serves, and tries come later and later, at most every half minute", async () => {
  const ground = await withKey();
  assert.equal(ground.now, "Bearer key-1");
  ground.pass(0.7 * LIFE_MS);
  const waits: number[] = [];
  for (let tries = 0; tries < 8; tries++) {
    await ground.answer(unavailable("away"));
    assert.equal(ground.now, "Bearer key-1");
    const [wait = 0] = ground.timers.delays;
    waits.push(wait);
    // Not before it is time, however many call.
    assert.equal(ground.asked, 2 + tries);
    ground.timers.runAll();
  }
  assert.deepEqual(waits, [750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
  await ground.answer();
  assert.equal(ground.now, "Bearer key-10");
});

test("without a key whoever calls between tries is told so at once", async () => {
  const ground = new Ground();
  const first = ground.keeper.current();
  await ground.answer(unavailable("away"));
  assert.equal(((await first) as KeyFault).reason, "key-unavailable");
  assert.equal(ground.now, "away");
  const { ready, text } = ground.keeper.standing();
  assert.deepEqual([ready, text], [false, "no key: away"]);
  assert.equal(ground.asked, 1);
  ground.clock.advance(750);
  assert.equal(ground.now, undefined);
  assert.equal(ground.asked, 2);
  await ground.answer(refused("access_denied"));
  assert.equal(ground.now, "access_denied");
});

test("instead() gives another key than the one that was refused, asked for once by all who had it", async () => {
  const ground = await withKey();
  const spent = ground.keeper.current() as HeldKey;
  const waiting = Array.from({ length: 2 }, async () => await ground.keeper.instead(spent));
  await ground.answer();
  const others = await Promise.all(waiting);
  assert.deepEqual([ground.asked, new Set(others).size], [2, 1]);
  // Whoever comes later with the spent one gets what is there.
  assert.equal(await ground.keeper.instead(spent), others[0]);
  assert.equal(ground.asked, 2);
});

test("instead() does not ask with every request where a service refuses all keys", async () => {
  const ground = await withKey();
  const other = ground.keeper.instead(ground.keeper.current() as HeldKey);
  await ground.answer();
  const second = (await other) as HeldKey;
  assert.equal(ground.keeper.instead(second), undefined);
  ground.clock.advance(4999);
  assert.equal(ground.keeper.instead(second), undefined);
  ground.clock.advance(1);
  assert.notEqual(ground.keeper.instead(second), undefined);
  assert.equal(ground.asked, 3);
});

test("instead() does not bring a refused key back where the authority has no other", async () => {
  const ground = await withKey();
  const other = ground.keeper.instead(ground.keeper.current() as HeldKey);
  await ground.answer(refused("revoked"));
  assert.equal(((await other) as KeyFault).reason, "key-refused");
  assert.equal(ground.now, "revoked");
});

test("close() asks for no more", async () => {
  const ground = await withKey();
  ground.keeper.close();
  assert.deepEqual(ground.timers.delays, []);
});

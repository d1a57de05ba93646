import assert from "node:assert/strict";
import test from "node:test";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import { keySetOf, testKey, type TestKey } from "../../../test/issuer.ts";
import { parseJson, type JsonValue } from "../../model/json.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import {
  createFixedKeySet,
  createRemoteKeySet,
  type KeyAnswer,
  type TrustedKey,
} from "./key-set.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const a = testKey("a", "ES256");
const b = testKey("b", "ES256");

/** A provider whose answers a test turns, and a set that asks it. */
function fixture(...keys: readonly TestKey[]) {
  const clock = new ManualClock(1_800_000_000_000);
  const timers = new ManualTimers();
  const log = recordedLog();
  const metrics = recordedMetrics();
  const provider = {
    fetches: 0,
    maxAgeSeconds: undefined as number | undefined,
    answer: (): JsonValue | Promise<JsonValue> => documentOf(...keys),
  };
  const set = createRemoteKeySet(
    async () => {
      provider.fetches += 1;
      return { document: await provider.answer(), maxAgeSeconds: provider.maxAgeSeconds };
    },
    {
      authenticator: "corp",
      minRefreshMs: MINUTE,
      maxRefreshMs: 15 * MINUTE,
      cooldownMs: 10_000,
      keepMs: 12 * HOUR,
    },
    { clock, timers, log, metrics },
  );
  return { set, clock, timers, log, metrics, provider };
}

function documentOf(...keys: readonly TestKey[]): JsonValue {
  return parseJson(JSON.stringify(keySetOf(...keys)));
}

function fail(): never {
  throw new Error("connection refused");
}

/** The one key of an answer that was at hand. */
function only(answer: KeyAnswer | Promise<KeyAnswer>): TrustedKey {
  assert.ok(Array.isArray(answer) && answer.length === 1, "one key at hand");
  return answer[0] as TrustedKey;
}

test("key set answers at once after start, by kid and algorithm", async () => {
  const { set } = fixture(a, b);
  await set.start();
  assert.equal(only(set.find("a", "ES256")).key.kid, "a");
  assert.ok(set.has("b"));
  assert.ok(!set.has("c"));
});

test("key set answers without start, after a fetch", async () => {
  const { set, provider } = fixture(a);
  const answer = set.find("a", "ES256");
  assert.ok(answer instanceof Promise);
  assert.equal(only(await answer).key.kid, "a");
  assert.equal(provider.fetches, 1);
});

test("key set gives no key for an algorithm that it does not have", async () => {
  const { set } = fixture(a);
  await set.start();
  assert.deepEqual(await set.find("a", "RS256"), []);
});

test("key set without kid gives the keys that fit, unless they are too many", async () => {
  const many = Array.from({ length: 5 }, (_, index) => testKey(`m${index}`, "ES256"));
  const few = fixture(a, b);
  await few.set.start();
  const answer = few.set.find(undefined, "ES256");
  assert.ok(Array.isArray(answer) && answer.length === 2);
  const crowd = fixture(...many);
  await crowd.set.start();
  assert.deepEqual(await crowd.set.find(undefined, "ES256"), []);
  assert.equal(only(crowd.set.find("m3", "ES256")).key.kid, "m3");
});

test("key set fetches a rotated key when its kid is first seen", async () => {
  const { set, clock, provider } = fixture(a);
  await set.start();
  provider.answer = () => documentOf(a, b);
  clock.advance(10_000);
  assert.equal(only(await set.find("b", "ES256")).key.kid, "b");
  assert.equal(provider.fetches, 2);
});

test("key set asks about an unknown kid a second after a regular fetch, not a cooldown after it", async () => {
  const { set, clock, provider } = fixture(a);
  await set.start();
  provider.answer = () => documentOf(a, b);
  clock.advance(999);
  assert.deepEqual(set.find("b", "ES256"), [], "what was fetched just now is not fetched again");
  clock.advance(1);
  assert.equal(only(await set.find("b", "ES256")).key.kid, "b");
  clock.advance(9999);
  assert.deepEqual(set.find("c", "ES256"), [], "a caller has caused that one");
  clock.advance(1);
  assert.ok(set.find("c", "ES256") instanceof Promise);
});

test("key set fetches once per cooldown under a flood of unknown kids", async () => {
  const { set, clock, provider } = fixture(a);
  await set.start();
  for (let round = 1; round <= 3; round++) {
    clock.advance(10_000);
    const answers = Array.from({ length: 500 }, async (_, index) =>
      set.find(`${round}-${index}`, "ES256"),
    );
    for (const answer of await Promise.all(answers)) assert.deepEqual(answer, []);
    for (let index = 0; index < 500; index++) {
      assert.deepEqual(set.find(`late-${index}`, "ES256"), [], "answered at once");
    }
    assert.equal(provider.fetches, 1 + round);
  }
  assert.equal(only(set.find("a", "ES256")).key.kid, "a", "known keys are not held up");
});

test("key set lets a bounded number of requests wait for one fetch", async () => {
  const { set, provider } = fixture(a);
  const gate = Promise.withResolvers<JsonValue>();
  provider.answer = () => gate.promise;
  const answers = Array.from({ length: 3000 }, () => set.find("a", "ES256"));
  const waiting = answers.filter((answer) => answer instanceof Promise);
  assert.equal(waiting.length, 1024);
  assert.equal(answers.at(-1), "unavailable");
  gate.resolve(documentOf(a));
  assert.equal(only((await Promise.all(waiting)).at(-1) ?? []).key.kid, "a");
  assert.equal(provider.fetches, 1);
});

test("key set refreshes ahead of time, between its bounds, as max-age says", async () => {
  const cases: readonly [maxAgeSeconds: number | undefined, delayMs: number][] = [
    [undefined, 15 * MINUTE],
    [0, MINUTE],
    [30, MINUTE],
    [300, 5 * MINUTE],
    [86_400, 15 * MINUTE],
  ];
  for (const [maxAgeSeconds, delayMs] of cases) {
    const { set, timers, provider } = fixture(a);
    provider.maxAgeSeconds = maxAgeSeconds;
    await set.start();
    assert.deepEqual(timers.delays, [delayMs]);
  }
});

test("key set drops what a key verified when the key leaves", async () => {
  const { set, timers, provider } = fixture(a, b);
  await set.start();
  const [before, other] = [only(set.find("a", "ES256")), only(set.find("b", "ES256"))];
  provider.answer = () => documentOf(b);
  timers.runAll();
  await settled(set);
  assert.equal(before.valid(), false);
  assert.equal(other.valid(), true, "a key that stays keeps what it verified");
  assert.equal(only(set.find("b", "ES256")), other);
  provider.answer = () => documentOf(a, b);
  timers.runAll();
  await settled(set);
  assert.equal(before.valid(), false, "what left once stays invalid");
  assert.equal(only(set.find("a", "ES256")).valid(), true);
});

test("key set takes a key that changed under its kid for another key", async () => {
  const { set, clock, provider } = fixture(a);
  await set.start();
  const before = only(set.find("a", "ES256"));
  const changed = testKey("a", "ES256", "another");
  provider.answer = () => documentOf(changed);
  assert.equal(set.findAgain("a", "ES256"), undefined, "not within the cooldown");
  clock.advance(10_000);
  const after = only((await set.findAgain("a", "ES256")) ?? []);
  assert.notEqual(after.key.thumbprint, before.key.thumbprint);
  assert.equal(before.valid(), false);
});

test("key set keeps the last good keys while the provider fails, up to the bound", async (t) => {
  const failures: readonly [name: string, answer: () => JsonValue | Promise<JsonValue>][] = [
    ["down", fail],
    ["garbage", () => parseJson('{"keys":[{"kty":"RSA"}]}')],
    ["not a key set", () => parseJson('"<html>"')],
    ["an empty set", () => parseJson('{"keys":[]}')],
    ["a private key", () => parseJson('{"keys":[{"kty":"EC","d":"AQAB"}]}')],
  ];
  for (const [name, answer] of failures) {
    await t.test(name, async () => {
      const { set, clock, timers, provider, log, metrics } = fixture(a);
      await set.start();
      const key = only(set.find("a", "ES256"));
      provider.answer = answer;
      timers.runAll();
      await settled(set);
      assert.equal(metrics.value("sallyport_key_set_fetches corp failed"), 1);
      assert.match(log.lines.join("\n"), /could not be fetched/);
      clock.advance(12 * HOUR);
      assert.equal(only(set.find("a", "ES256")), key);
      assert.equal(key.valid(), true);
      clock.advance(1);
      assert.equal(key.valid(), false, "beyond the bound nothing that it verified counts");
      assert.equal(await set.find("a", "ES256"), "unavailable");
      provider.answer = () => documentOf(a);
      clock.advance(10_000);
      assert.notEqual(only(await set.find("a", "ES256")), key);
      assert.equal(key.valid(), false, "and does not count again");
    });
  }
});

test("key set is unavailable, not empty, before the first good answer", async () => {
  const { set, provider, clock } = fixture(a);
  provider.answer = fail;
  await set.start();
  for (let index = 0; index < 100; index++) assert.equal(set.find("a", "ES256"), "unavailable");
  assert.equal(provider.fetches, 1);
  clock.advance(10_000);
  assert.equal(await set.find("a", "ES256"), "unavailable");
  assert.equal(provider.fetches, 2);
});

test("key set pauses longer with every failure", async () => {
  const { set, timers, provider } = fixture(a);
  provider.answer = fail;
  await set.start();
  const delays = [];
  for (let index = 0; index < 5; index++) {
    delays.push(...timers.delays);
    timers.runAll();
    await settled(set);
  }
  assert.deepEqual(delays, [10_000, 20_000, 40_000, MINUTE, MINUTE]);
});

test("key set goes on serving while the provider hangs", async () => {
  const { set, clock, timers, provider } = fixture(a);
  await set.start();
  provider.answer = () => new Promise(() => undefined);
  timers.runAll();
  clock.advance(10_000);
  assert.equal(only(set.find("a", "ES256")).valid(), true);
  assert.equal(provider.fetches, 2);
});

test("key set says once which keys it leaves out", async () => {
  const { set, timers, provider, log } = fixture();
  provider.answer = () => parseJson(JSON.stringify({ keys: [a.jwk, { ...b.jwk, use: "enc" }] }));
  await set.start();
  timers.runAll();
  await settled(set);
  assert.equal(log.lines.filter((line) => line.includes("are not used")).length, 1);
});

test("key set stops fetching once closed, and vouches for nothing", async () => {
  const { set, timers, provider } = fixture(a);
  await set.start();
  const key = only(set.find("a", "ES256"));
  set.close();
  assert.deepEqual(timers.delays, []);
  assert.equal(key.valid(), false);
  assert.equal(await set.find("a", "ES256"), "unavailable");
  assert.equal(provider.fetches, 1);
});

test("key set that is closed during a fetch does not go on", async () => {
  const { set, timers, provider, log } = fixture(a);
  const gate = Promise.withResolvers<JsonValue>();
  provider.answer = () => gate.promise;
  const started = set.start();
  set.close();
  gate.reject(new Error("gone"));
  await started;
  assert.deepEqual(timers.delays, []);
  assert.deepEqual(log.lines, []);
});

test("fixed key set serves until it is closed", () => {
  const set = createFixedKeySet(documentOf(a), { authenticator: "corp", log: recordedLog() });
  const key = only(set.find("a", "ES256"));
  assert.deepEqual(set.find("b", "ES256"), []);
  assert.equal(set.findAgain("a", "ES256"), undefined);
  assert.equal(key.valid(), true);
  set.close();
  assert.equal(key.valid(), false);
  assert.equal(set.find("a", "ES256"), "unavailable");
});

/** Until the fetch that is under way has ended: a few turns of the microtask queue, none of time. */
async function settled(set: { readonly start: () => Promise<void> }): Promise<void> {
  await set.start();
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

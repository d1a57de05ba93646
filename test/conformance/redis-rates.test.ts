/** The script by which all machines count rates is held against the limiter of one process, in a real Redis. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { recordedLog } from "../ports.ts";
import { type Redis, startRedis, whyNoRedis } from "../redis.ts";
import { until } from "../e2e/life.ts";
import { createGcra } from "../../src/limits/gcra.ts";
import type { CommonRate } from "../../src/model/common-rates.ts";
import { type RatePolicy, rateUnits } from "../../src/model/rate.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { RedisConnection } from "../../src/memory/redis-connection.ts";
import { createRedisRates } from "../../src/memory/redis-rates.ts";
import { parseRedisUrl } from "../../src/memory/redis-url.ts";

const SLOW = { timeout: 60_000, skip: whyNoRedis() };

/** What one machine has. */
async function machineAt(t: TestContext, redis: Pick<Redis, "url">, now?: () => number) {
  const place = parseRedisUrl(redis.url);
  assert.ok(place !== undefined);
  const log = recordedLog();
  const failures = { count: 0 };
  const connection = new RedisConnection(
    { place, ca: undefined, timeoutMs: 5000 },
    { timers: systemTimers, log, greeted: () => undefined },
  );
  t.after(() => connection.close());
  await connection.open();
  const rates = createRedisRates({
    connection,
    clock: systemClock,
    log,
    prefix: "test:",
    failed: () => (failures.count += 1),
    ...(now === undefined ? {} : { now }),
  });
  return { rates, log, failures };
}

function rate(id: string, policy: RatePolicy, key = "a"): CommonRate {
  return { id, units: rateUnits(policy), key };
}

/** A limiter of one process counts from its start: so far from it its units are no whole numbers. */
const EPOCH = 1_800_000_000_000;

const HOUR = { requests: 20, perMs: 3_600_000, burst: 20 };

test("take() says of every request what a limiter of one process says", SLOW, async (t) => {
  const redis = await startRedis(t);
  let now = EPOCH;
  const { rates } = await machineAt(t, redis, () => now);
  const policies = fc.record({
    requests: fc.integer({ min: 1, max: 1_000_000 }),
    perMs: fc.integer({ min: 1, max: 86_400 }).map((seconds) => seconds * 1000),
    burst: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1_000_000 })),
  });
  const steps = fc.array(
    fc.record({ waitMs: fc.nat({ max: 20_000 }), key: fc.constantFrom("a", "b") }),
    { maxLength: 60 },
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(policies, steps, async (policy, taken) => {
      run += 1;
      const local = createGcra(policy);
      // One after the other on one connection: the server meets them in this order.
      const asked = taken.map(({ waitMs, key }) => {
        now += waitMs;
        return [
          rates.take([rate(`run-${run}`, policy, key)]),
          local.take(key, 1, now - EPOCH),
        ] as const;
      });
      for (const [common, expected] of asked) {
        const found = await common;
        const verdict = found.refused === undefined ? found.verdicts[0] : found.verdict;
        assert.deepEqual(verdict, expected);
      }
    }),
    { numRuns: 60 },
  );
});

test("take() is exact at the bounds of what can be configured", SLOW, async (t) => {
  const redis = await startRedis(t);
  let now = EPOCH;
  const { rates } = await machineAt(t, redis, () => now);
  for (const policy of [
    { requests: 999_983, perMs: 86_400_000, burst: 1_000_000 },
    { requests: 1_000_000, perMs: 1000, burst: 1 },
    { requests: 1, perMs: 86_400_000, burst: 1_000_000 },
  ]) {
    const local = createGcra(policy);
    const one = rate(JSON.stringify(policy), policy);
    for (let index = 0; index < 20; index++) {
      now += index % 3;
      const found = await rates.take([one]);
      const verdict = found.refused === undefined ? found.verdicts[0] : found.verdict;
      assert.deepEqual(verdict, local.take("a", 1, now - EPOCH));
    }
  }
});

test("machines that ask at once are let through as often as one would be", SLOW, async (t) => {
  const redis = await startRedis(t);
  const machines = await Promise.all([1, 2, 3].map(() => machineAt(t, redis)));
  for (let round = 0; round < 5; round++) {
    const asked = machines.flatMap(({ rates }) =>
      Array.from({ length: 50 }, () => rates.take([rate(`round-${round}`, HOUR)])),
    );
    const allowed = (await Promise.all(asked)).filter(({ refused }) => refused === undefined);
    assert.equal(allowed.length, HOUR.burst);
  }
});

test(
  "take() takes from all limits or from none, and names the first without room",
  SLOW,
  async (t) => {
    const redis = await startRedis(t);
    const { rates } = await machineAt(t, redis);
    const wide = rate("wide", HOUR);
    const narrow = rate("narrow", { requests: 2, perMs: 3_600_000, burst: 2 });
    for (let index = 0; index < 2; index++) {
      assert.equal((await rates.take([wide, narrow])).refused, undefined);
    }
    for (let index = 0; index < 5; index++) {
      const found = await rates.take([wide, narrow]);
      assert.equal(found.refused, 1);
      assert.equal(found.verdict.allowed, false);
      assert.ok(found.verdict.retryMs > 1_700_000 && found.verdict.retryMs <= 1_800_000);
    }
    const found = await rates.take([wide]);
    assert.equal(found.refused === undefined && found.verdicts[0]?.remaining, 17);
  },
);

test("what lies in Redis names nobody, and goes when it owes nothing", SLOW, async (t) => {
  const redis = await startRedis(t);
  const { rates } = await machineAt(t, redis);
  const quick = { requests: 1000, perMs: 1000, burst: 1000 };
  await rates.take([rate("rate:billing", quick, "pcorp/canary"), rate("rate:x", HOUR, "canary")]);
  const names = await redis.ask("KEYS *");
  assert.equal([...names.matchAll(/test:rate:[\w-]{43}\r/g)].length, 2);
  assert.ok(!names.includes("canary") && !names.includes("billing"));
  await until("the first has gone", async () => (await redis.ask("DBSIZE")).startsWith(":1"));
  const left = /test:rate:[\w-]{43}/.exec(await redis.ask("KEYS *"))?.[0] ?? "";
  const ttl = Number(/:(\d+)/.exec(await redis.ask(`PTTL ${left}`))?.[1]);
  assert.ok(ttl > 170_000 && ttl <= 181_000, `${ttl}: three minutes, and a second`);
});

test("a clock that was set back costs a caller no more than one burst", SLOW, async (t) => {
  const redis = await startRedis(t);
  let now = EPOCH;
  const { rates } = await machineAt(t, redis, () => now);
  const one = rate("back", { requests: 1, perMs: 1000, burst: 3 });
  assert.equal((await rates.take([one])).refused, undefined);
  now -= 3_600_000;
  const refused = await rates.take([one]);
  assert.equal(refused.refused, 0);
  assert.equal(refused.verdict.retryMs, 1000);
  now += 999;
  assert.equal((await rates.take([one])).refused, 0);
  now += 1;
  assert.equal((await rates.take([one])).refused, undefined);
});

test("a server that was started anew, or forgot the script, is told it again", SLOW, async (t) => {
  const redis = await startRedis(t);
  const { rates, failures } = await machineAt(t, redis);
  assert.equal((await rates.take([rate("a", HOUR)])).refused, undefined);
  await redis.ask("SCRIPT FLUSH");
  assert.equal((await rates.take([rate("a", HOUR)])).refused, undefined);
  assert.equal(failures.count, 0);
  await redis.kill();
  await until("it is noticed", () =>
    rates.take([rate("a", HOUR)]).then(
      () => false,
      (error: unknown) => (error as { code?: string }).code === "memory-unavailable",
    ),
  );
  assert.ok(failures.count > 0);
  await redis.start();
  await until("it counts again", () =>
    rates.take([rate("a", HOUR)]).then(
      () => true,
      () => false,
    ),
  );
});

test(
  "a server that keeps its keys on disk counts on where it was when it was killed",
  SLOW,
  async (t) => {
    const redis = await startRedis(t, { args: ["--appendonly", "yes", "--appendfsync", "always"] });
    const { rates } = await machineAt(t, redis);
    for (let index = 0; index < 15; index++) await rates.take([rate("quota", HOUR)]);
    await redis.kill();
    await redis.start();
    const left: number[] = [];
    await until("it counts again", () =>
      rates.take([rate("quota", HOUR)]).then(
        (found) => {
          left.push(found.refused === undefined ? (found.verdicts[0]?.remaining ?? -1) : -1);
          return true;
        },
        () => false,
      ),
    );
    assert.deepEqual(left, [4]);
  },
);

test("a server that refuses the script is said once, with its word for it", SLOW, async (t) => {
  const redis = await startRedis(t, { args: ["--maxmemory", "1"] });
  const { rates, log, failures } = await machineAt(t, redis);
  for (let index = 0; index < 10; index++) {
    await assert.rejects(rates.take([rate("a", HOUR, "canary")]), { code: "memory-unavailable" });
  }
  assert.equal(failures.count, 10);
  const said = log.lines.filter((line) => line.includes("not counted in common"));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /OOM/);
  assert.ok(!log.lines.join("\n").includes("canary"));
  await redis.ask("CONFIG SET maxmemory 0");
  assert.equal((await rates.take([rate("a", HOUR)])).refused, undefined);
  assert.ok(log.lines.some((line) => line.includes("counted in common again")));
});

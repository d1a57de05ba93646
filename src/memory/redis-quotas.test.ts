import assert from "node:assert/strict";
import test from "node:test";
import { startRedis, whyNoRedis } from "../../test/redis.ts";
import { until } from "../../test/e2e/life.ts";
import { recordedLog } from "../../test/ports.ts";
import type { QuotaEntry } from "../model/common-quotas.ts";
import { systemTimers } from "../platform/timers.ts";
import { RedisConnection } from "./redis-connection.ts";
import { createRedisQuotas } from "./redis-quotas.ts";
import { parseRedisUrl } from "./redis-url.ts";

const SLOW = { timeout: 60_000, skip: whyNoRedis() };
const START = Date.UTC(2026, 10, 27, 5);

function entry(
  principal: string,
  added: readonly [number, number, number],
  known: readonly [number, number, number] = [0, 0, 0],
): QuotaEntry {
  const [requests, bytes, cost] = known;
  const step = [principal, "hour", START, ...added] as const;
  return { step, known: { requests, bytes, cost }, keepMs: 3_600_000 };
}

test(
  "quotas in Redis: what each adds, once, to what is the most that anybody knows",
  SLOW,
  async (t) => {
    const redis = await startRedis(t);
    const place = parseRedisUrl(redis.url);
    assert.ok(place !== undefined);
    const connection = new RedisConnection(
      { place, ca: undefined, timeoutMs: 2000 },
      { timers: systemTimers, log: recordedLog(), greeted: () => undefined },
    );
    t.after(() => connection.close());
    await connection.open();
    let failures = 0;
    const make = () =>
      createRedisQuotas({ connection, prefix: "q:", failed: () => void (failures += 1) });
    const [one, two] = [make(), make()];
    const use = (requests: number, bytes: number, cost: number) => ({ requests, bytes, cost });

    const first = [entry("corp/ann", [2, 700, 2500]), entry("corp/bob", [1, 0, 0])];
    const both = [use(2, 700, 2500), use(1, 0, 0)];
    assert.deepEqual(await one.add(0, first), { last: -1, uses: both });
    assert.deepEqual(await one.add(0, first), { last: 0, uses: both }, "the same again");
    const uses = async (asked: ReturnType<typeof one.add>) => (await asked).uses;
    assert.deepEqual(await uses(two.add(0, [entry("corp/ann", [3, 0, 500])])), [use(5, 700, 3000)]);
    assert.deepEqual(await one.add(1, [entry("corp/ann", [-1, 0, -500])]), {
      last: 0,
      uses: [use(4, 700, 2500)],
    });
    assert.deepEqual(await one.add(2, []), { last: 1, uses: [] });
    const most = Number.MAX_SAFE_INTEGER - 7;
    const large = entry("corp/ann", [1, 1, 1], [most, most, most]);
    assert.deepEqual(await uses(two.add(1, [large])), [use(most + 1, most + 1, most + 1)]);

    const keys = (await redis.ask("KEYS *")).match(/q:[\w:-]+/g) ?? [];
    assert.equal(keys.filter((key) => /^q:quota:[\w-]{43}$/.test(key)).length, 2);
    assert.equal(keys.filter((key) => key.startsWith("q:quota-batch:")).length, 2);
    assert.ok(!keys.join().includes("ann"), "nobody who reads its keys is told who called");
    for (const key of keys) {
      const left = Number(/:(-?\d+)/.exec(await redis.ask(`PTTL ${key}`))?.[1]);
      assert.ok(left > 3_000_000 && left <= 86_400_000, `${key}: ${left}`);
    }

    await redis.kill();
    await assert.rejects(one.add(3, first), { code: "memory-unavailable" });
    assert.equal(failures, 1);
    await redis.start();
    await until("it is there again", () => connection.connected);
    assert.deepEqual(await one.add(3, []), { last: -1, uses: [] }, "what was known is lost");
  },
);

test("quotas in Redis: an answer that is none counts as none", async () => {
  const sums = ["1:2:3"];
  for (const reply of [
    "OK",
    [],
    ["x", ...sums],
    [0],
    [0, "1:2"],
    [0, "1:2:3:4"],
    [0, "1:2:-3"],
    [0, `1:2:${"9".repeat(400)}`],
    [0, ...sums, ...sums],
  ]) {
    let failures = 0;
    const quotas = createRedisQuotas({
      connection: { run: async () => await Promise.resolve(reply) },
      prefix: "q:",
      failed: () => void (failures += 1),
    });
    const asked = quotas.add(0, [entry("corp/ann", [1, 0, 0])]);
    await assert.rejects(asked, { code: "memory-unavailable" }, JSON.stringify(reply));
    assert.equal(failures, 1);
  }
});

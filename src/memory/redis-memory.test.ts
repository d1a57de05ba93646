import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { startRedis, whyNoRedis } from "../../test/redis.ts";
import { until } from "../../test/e2e/life.ts";
import { systemClock } from "../platform/clock.ts";
import { systemTimers } from "../platform/timers.ts";
import { createRedisMemory } from "./redis-memory.ts";
import { parseRedisUrl } from "./redis-url.ts";
import { sharedSchema } from "./shared-options.ts";

const SLOW = { timeout: 60_000, skip: whyNoRedis() };

async function memoryAt(t: TestContext, redis: string, timeout = "2s") {
  const log = recordedLog();
  const metrics = recordedMetrics();
  const memory = createRedisMemory(sharedSchema.parse({ redis, timeout }), {
    clock: systemClock,
    timers: systemTimers,
    log,
    metrics,
    readFile: () => new Uint8Array(),
  });
  t.after(() => memory.close());
  await memory.start();
  return { memory, log, metrics };
}

test("claim() is true for one of many proxies that ask at once", SLOW, async (t) => {
  const redis = await startRedis(t);
  const memories = await Promise.all([1, 2, 3].map(() => memoryAt(t, redis.url)));
  for (let round = 0; round < 20; round++) {
    const claims = memories.flatMap(({ memory }) =>
      [1, 2, 3].map(() => memory.claim("proofs", `k${round}`, 60_000)),
    );
    const first = (await Promise.all(claims)).filter(Boolean);
    assert.equal(first.length, 1);
  }
  assert.match(await redis.ask("KEYS *"), /sallyport:proofs:k7/);
  assert.match(await redis.ask("PTTL sallyport:proofs:k7"), /:5\d{4}/);
});

test("claim() is true again once the time is over", SLOW, async (t) => {
  const redis = await startRedis(t);
  const { memory } = await memoryAt(t, redis.url);
  assert.equal(await memory.claim("proofs", "a", 49.5), true);
  await until("it has expired", async () => await memory.claim("proofs", "a", 60_000));
  assert.equal(await memory.claim("proofs", "a", 60_000), false);
});

test("get(), put(), agree() and remove() are those of all proxies", SLOW, async (t) => {
  const redis = await startRedis(t);
  const [{ memory: one }, { memory: two }] = await Promise.all([
    memoryAt(t, redis.url),
    memoryAt(t, redis.url),
  ]);
  assert.equal(await two.get("sessions", "a"), undefined);
  await one.put("sessions", "a", "välue\r\n", 60_000);
  assert.equal(await two.get("sessions", "a"), "välue\r\n");
  await two.remove("sessions", "a");
  assert.equal(await one.get("sessions", "a"), undefined);
  const agreed = await Promise.all(
    ["x", "y", "z"].map((value, index) =>
      (index % 2 === 0 ? one : two).agree("nonces", "7", value, 60_000),
    ),
  );
  assert.equal(new Set(agreed).size, 1);
});

test(
  "claim() rejects while the server is away, and proofs from before its next start count as used",
  SLOW,
  async (t) => {
    const redis = await startRedis(t);
    const { memory, log, metrics } = await memoryAt(t, redis.url);
    assert.equal(await memory.claim("proofs", "a", 60_000), true);
    assert.equal(memory.since, 0);
    assert.equal(metrics.value("sallyport_shared_memory_connected"), 1);
    await redis.kill();
    const before = systemClock.now();
    const lost = async () => await memory.claim("proofs", "b", 60_000);
    await until("it is noticed", () =>
      lost().then(
        () => false,
        () => true,
      ),
    );
    await assert.rejects(lost, { code: "memory-unavailable" });
    assert.equal(metrics.value("sallyport_shared_memory_connected"), 0);
    assert.ok(metrics.value("sallyport_shared_memory_failures") >= 2);
    await redis.start();
    await until("it is there again", () =>
      lost().then(
        () => true,
        () => false,
      ),
    );
    assert.ok(memory.since >= before, "what was claimed before is lost");
    assert.equal(await memory.claim("proofs", "a", 60_000), true, "indeed it is");
    const events = log.lines;
    assert.equal(events.filter((event) => event.includes("cannot be reached")).length, 1);
    assert.equal(events.filter((event) => event.includes("there again")).length, 1);
  },
);

test(
  "claim() rejects where the server hangs, at once from the second on, until it answers",
  SLOW,
  async (t) => {
    const redis = await startRedis(t);
    const { memory } = await memoryAt(t, redis.url, "100ms");
    redis.signal("SIGSTOP");
    await assert.rejects(async () => await memory.claim("proofs", "a", 60_000), {
      code: "memory-unavailable",
    });
    const started = performance.now();
    for (let asked = 0; asked < 50; asked++) {
      await assert.rejects(async () => await memory.claim("proofs", "b", 60_000));
    }
    assert.ok(performance.now() - started < 2000, "nobody waits for it");
    redis.signal("SIGCONT");
    await until("it answers", () =>
      memory.claim("proofs", `c${performance.now()}`, 60_000).then(
        () => true,
        () => false,
      ),
    );
    assert.equal(memory.since, 0, "it has lost nothing");
  },
);

test(
  "start() says so where the server wants a password, and never which it was told",
  SLOW,
  async (t) => {
    const redis = await startRedis(t, { args: ["--requirepass", "right-canary"] });
    const { memory, log } = await memoryAt(t, redis.url);
    await assert.rejects(async () => await memory.claim("proofs", "a", 60_000), {
      code: "memory-unavailable",
    });
    const said = log.lines.join("\n");
    assert.match(said, /NOAUTH/);
    assert.ok(!said.includes("canary"));
  },
);

test(
  "claim() works where INFO is not allowed, and takes each connection for another server",
  SLOW,
  async (t) => {
    const acl = ["--user", "default", "on", "nopass", "~*", "+@all", "-info"];
    const barred = await startRedis(t, { args: acl });
    const { memory, log } = await memoryAt(t, barred.url);
    assert.equal(await memory.claim("proofs", "a", 60_000), true);
    assert.equal(memory.since, 0);
    await barred.ask("CLIENT KILL TYPE normal SKIPME yes");
    await until("it is connected again", () =>
      memory.claim("proofs", `b${performance.now()}`, 60_000).then(
        () => memory.since > 0,
        () => false,
      ),
    );
    assert.ok(log.lines.some((line) => line.includes("started anew")));
  },
);

test("start() warns where used proofs may be evicted", SLOW, async (t) => {
  const args = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
  const redis = await startRedis(t, { args });
  const { log } = await memoryAt(t, redis.url);
  assert.ok(log.lines.some((line) => line.includes("evict")));
});

test("claim() rejects where the server is full, and keeps what it has", SLOW, async (t) => {
  const redis = await startRedis(t, { args: ["--maxmemory", "1kb"] });
  const { memory } = await memoryAt(t, redis.url);
  await assert.rejects(async () => await memory.claim("proofs", "a", 60_000), /OOM/);
});

test("parseRedisUrl() reads places, and names them without user and password", () => {
  const place = parseRedisUrl("rediss://user:p%40ss@redis.example:7000/3");
  assert.deepEqual(place, {
    host: "redis.example",
    port: 7000,
    path: undefined,
    tls: true,
    username: "user",
    password: "p@ss",
    database: 3,
    name: "rediss://redis.example:7000",
    insecure: false,
  });
  assert.equal(parseRedisUrl("redis://[::1]")?.host, "::1");
  assert.equal(parseRedisUrl("redis://[::1]")?.insecure, false);
  assert.equal(parseRedisUrl("redis://127.0.0.1:6379")?.insecure, false);
  assert.equal(parseRedisUrl("redis://127.evil.example")?.insecure, true);
  assert.equal(parseRedisUrl("redis://redis.example")?.insecure, true);
  assert.equal(parseRedisUrl("unix:/run/redis.sock")?.path, "/run/redis.sock");
  for (const text of [
    "",
    "http://redis.example",
    "redis://",
    "redis:///0",
    "redis://redis.example/name",
    "redis://redis.example?tls=off",
    "redis://redis.example#0",
    "redis://u:%@redis.example",
    "unix:",
  ]) {
    assert.equal(parseRedisUrl(text), undefined, text);
  }
});

/** Two machines, one of them with two workers, that count a rate as one through a real Redis. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startRedis, whyNoRedis } from "../redis.ts";
import { until } from "./life.ts";
import { type Stage, startStage } from "./stage.ts";

const SLOW = { timeout: 120_000, skip: whyNoRedis() };

const ROUTES = `
  - { name: whole, path: /whole, service: recorder, authenticate: [anonymous], limit: { requests: 30, per: 1h, by: route, across: cluster } }
  - { name: strict, path: /strict, service: recorder, authenticate: [anonymous], limit: { requests: 1000, per: 24h, by: route, across: cluster, whenAway: refuse } }
  - { name: own, path: /own, service: recorder, authenticate: [anonymous], limit: { requests: 1000, per: 1h, by: route } }`;

interface Seen {
  readonly status: number;
  readonly reason: string | undefined;
  readonly left: number;
}

async function ask(stage: Stage, path: string): Promise<Seen> {
  // A connection of its own, so that both workers are met.
  const response = await fetch(`http://${stage.proxy}${path}`, {
    headers: { connection: "close" },
  });
  const reason = /"reason":"([^"]*)"/.exec(await response.text())?.[1];
  const left = /;r=(\d+)/.exec(response.headers.get("ratelimit") ?? "")?.[1];
  return { status: response.status, reason, left: Number(left) };
}

async function many(stages: readonly Stage[], path: string, times: number): Promise<Seen[]> {
  const seen: Promise<Seen>[] = [];
  for (let index = 0; index < times; index++) seen.push(...stages.map((stage) => ask(stage, path)));
  return await Promise.all(seen);
}

function permitted(seen: readonly Seen[]): number {
  return seen.filter(({ status }) => status === 200).length;
}

async function operators(stage: Stage, path: string): Promise<string> {
  return await (await fetch(`http://${stage.admin}${path}`)).text();
}

test(
  "what one machine lets through is missing at the other, and each counts alone while Redis is away",
  SLOW,
  async (t) => {
    const redis = await startRedis(t);
    const shared = `shared: { redis: "${redis.url}", timeout: 2s }`;
    const stages = await Promise.all([
      startStage({ routes: ROUTES, config: `${shared}\nworkers: 2` }),
      startStage({ routes: ROUTES, config: shared }),
    ]);
    after(() => Promise.all(stages.map((stage) => stage.close())));
    const [one, two] = stages;

    const together = await many(stages, "/whole", 25);
    assert.equal(permitted(together), 30, "of fifty at once, on three processes");
    const [refused] = together.filter(({ status }) => status !== 200);
    assert.deepEqual(refused, { status: 429, reason: "rate-limited", left: 0 });
    assert.equal((await ask(one, "/strict")).left, 999);
    assert.equal((await ask(two, "/strict")).left, 998, "one number for all");
    assert.match(await redis.ask("KEYS *"), /sallyport:rate:[\w-]{43}/);
    assert.match(await operators(two, "/readyz"), /"sharedMemory":"answers"/);

    await redis.kill();
    await until("both have noticed", async () => {
      const seen = await many(stages, "/strict", 2);
      return seen.every(({ status, reason }) => status === 503 && reason === "memory-unavailable");
    });
    const started = performance.now();
    const alone = await many(stages, "/whole", 40);
    const through = permitted(alone);
    assert.ok(
      through <= 60 && through > 40,
      `${through}: thirty on each machine; a worker may hold some leased`,
    );
    assert.ok(performance.now() - started < 10_000, "nobody waits for what is away");
    for (const stage of stages) {
      const ready = await fetch(`http://${stage.admin}/readyz`);
      assert.equal(ready.status, 200, "it serves");
      assert.match(await ready.text(), /"sharedMemory":"does not answer/);
      assert.match(
        await operators(stage, "/metrics"),
        /sallyport_limit_away_total\{limit="whole\/route"\} [4-9]\d/,
      );
      const record = await stage.found(({ reason }) => reason === "memory-unavailable");
      assert.match(String(record["detail"]), /the limit "route" of the route cannot be counted/);
      assert.equal(stage.log().match(/not counted in common/g)?.length, stage === one ? 2 : 1);
    }

    await redis.start();
    await until("both count in common again", async () => {
      const seen = await many(stages, "/strict", 2);
      return permitted(seen) === seen.length;
    });
    assert.equal(permitted(await many(stages, "/whole", 25)), 30, "what Redis forgot begins anew");
  },
);

test(
  "a Redis that hangs holds a request up no longer than the timeout, and the next not at all",
  SLOW,
  async (t) => {
    const redis = await startRedis(t);
    const stage = await startStage({
      routes: ROUTES,
      config: `shared: { redis: "${redis.url}", timeout: 300ms }`,
    });
    after(() => stage.close());
    assert.equal((await ask(stage, "/whole")).left, 29);
    redis.signal("SIGSTOP");
    const started = performance.now();
    assert.equal((await ask(stage, "/whole")).left, 29, "its own count begins with a full bucket");
    const waited = performance.now() - started;
    assert.ok(waited >= 290 && waited < 5000, `${waited}`);
    const before = performance.now();
    assert.equal(permitted(await many([stage], "/whole", 10)), 10);
    assert.equal((await ask(stage, "/strict")).status, 503);
    assert.ok(performance.now() - before < 3000);
    redis.signal("SIGCONT");
    await until("it answers", async () => (await ask(stage, "/strict")).status === 200);
  },
);

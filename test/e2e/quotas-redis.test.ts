/** Quotas that two machines, one of them with two workers, count as one through a real Redis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startRedis, whyNoRedis } from "../redis.ts";
import { until } from "./life.ts";
import { type Stage, startStage } from "./stage.ts";

const SLOW = { timeout: 180_000, skip: whyNoRedis() };
const QUOTA = 1000;

function config(redis: string, more = ""): string {
  return `shared: { redis: "${redis}", timeout: 2s }
usage:
  across: cluster
  plans: { free: { quota: { requests: ${QUOTA}, per: month }, warnAt: 90% } }
  plan: { anonymous: free }
${more}`;
}

interface Seen {
  readonly status: number;
  readonly reason: string | undefined;
  readonly left: number;
}

async function ask(stage: Stage): Promise<Seen> {
  // A connection of its own, so that both workers are met.
  const response = await fetch(`http://${stage.proxy}/x`, { headers: { connection: "close" } });
  const reason = /"reason":"([^"]*)"/.exec(await response.text())?.[1];
  const left = /;r=(\d+)/.exec(response.headers.get("ratelimit") ?? "")?.[1];
  return { status: response.status, reason, left: Number(left) };
}

/** How many of so many are let through, a few at a time. */
async function asks(stage: Stage, times: number): Promise<number> {
  let through = 0;
  for (let asked = 0; asked < times; asked += 20) {
    const seen = await Promise.all(
      Array.from({ length: Math.min(20, times - asked) }, () => ask(stage)),
    );
    through += seen.filter(({ status }) => status === 200).length;
  }
  return through;
}

const exceeded = { status: 429, reason: "quota-exceeded", left: 0 };

async function refuses(stage: Stage): Promise<void> {
  await until("every worker refuses", async () => {
    const seen = await Promise.all(Array.from({ length: 8 }, () => ask(stage)));
    return seen.every(({ status }) => status === 429);
  });
  assert.deepEqual(await ask(stage), exceeded);
}

test("two machines hold a principal to one quota, also after Redis was lost", SLOW, async (t) => {
  const redis = await startRedis(t);
  const start = async (more = "") => {
    const stage = await startStage({ config: config(redis.url, more) });
    t.after(() => stage.close());
    return stage;
  };
  const [one, two] = await Promise.all([start("workers: 2"), start()]);

  assert.equal(await asks(one, 600), 600);
  let own = 0;
  await until("two has heard of what one let through", async () => {
    own += 1;
    const { left } = await ask(two);
    return left === QUOTA - 600 - own;
  });
  const left = QUOTA - 600 - own;
  assert.equal(await asks(two, left + 60), left, "what is left, and not one more");
  assert.deepEqual(await ask(two), exceeded);
  await refuses(one);
  await two.found(({ event }) => event === "quota-warning");
  await two.found(({ event }) => event === "quota-exceeded");
  await one.found(({ event }) => event === "quota-exceeded");

  const three = await start();
  await refuses(three);
  await redis.kill();
  for (const stage of [one, two, three]) assert.deepEqual(await ask(stage), exceeded);
  await redis.start();
  // They have nothing new to say of a principal that they refuse, and say it all the same.
  await until("sums were said anew", async () =>
    /sallyport:quota:/.test(await redis.ask("KEYS *")),
  );
  await refuses(await start());
});

/**
 * kill -9 of Redis and of a proxy, and a Redis that hangs, under load: no proof counts twice, no limit lets more
 * through than it says, no request hangs, and all comes back by itself.
 */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { type TestContext, test } from "node:test";
import { AUDIENCE } from "../e2e/test-issuer.ts";
import { dpopClient } from "../identity/dpop-client.ts";
import { type Redis, startRedis, whyNoRedis } from "../redis.ts";
import { type Cluster, ORIGIN, startCluster } from "./harness.ts";
import { assertAnswered } from "./judge.ts";
import { call, startLoad } from "./load.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

const RATE = 25;

const ROUTES = `
- name: counted
  path: "/counted/*"
  service: orders
  authenticate: [corp]
  audience: [${AUDIENCE}]
  limit: { requests: ${RATE}, per: 24h, by: principal, across: cluster }
- name: busy
  path: "/busy/*"
  service: orders
  authenticate: [corp]
  audience: [${AUDIENCE}]
  limit: { requests: 1000000, per: 1s, by: route, across: cluster }`;

/** Milliseconds: a proxy waits half a second for Redis; the rest is for a busy machine. */
const ANSWER_MS = 8000;

async function startWithRedis(
  context: TestContext,
): Promise<{ readonly cluster: Cluster; readonly redis: Redis } | undefined> {
  const missing = whyNoRedis();
  if (missing !== undefined) {
    context.skip(missing);
    return undefined;
  }
  const redis = await startRedis(context);
  const cluster = await startCluster(context, {
    authorities: 1,
    proxies: 2,
    maxStalenessSeconds: 10,
    routes: ROUTES,
    redis: redis.url,
  });
  return cluster && { cluster, redis };
}

/** As often as the rate allows, of each proxy, at once. What was answered with 200. */
async function count(cluster: Cluster, subject: string): Promise<number> {
  const token = cluster.issuer.token({ sub: subject });
  const asked = cluster.proxies.flatMap(({ edge }) =>
    Array.from({ length: RATE }, (_, index) => call(edge, `/counted/${index}`, { token })),
  );
  return (await Promise.all(asked)).filter(({ status }) => status === 200).length;
}

/** Permits on record of all proxies. */
function recorded(cluster: Cluster, subject: string): number {
  const found = cluster.proxies
    .flatMap((proxy) => proxy.records())
    .filter((record) => {
      const principal = record["principal"] as { readonly subject?: string } | undefined;
      return (
        record["type"] === "decision" &&
        record["decision"] === "permit" &&
        principal?.subject === subject
      );
    });
  return found.length;
}

interface Replays {
  /** What each proof was answered, everywhere, in the order in which proofs were made. */
  readonly rounds: readonly (readonly string[])[];
  stop(): Promise<void>;
}

/** Makes one proof after the other, and sends each to every proxy twice, at once. */
function startReplays(context: TestContext, cluster: Cluster): Replays {
  const client = dpopClient("ES256", "shop");
  const token = cluster.issuer.token({ sub: "shop", cnf: { jkt: client.thumbprint } });
  const target = { method: "GET", url: `${ORIGIN}/orders/bound`, token } as const;
  const rounds: string[][] = [];
  const state = { going: true };
  let nonce: string | undefined;
  const ask = async (edge: string, proof: string): Promise<string> => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof, connection: "close" };
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      const response = await fetch(`http://${edge}/orders/bound`, { headers, signal });
      nonce = response.headers.get("dpop-nonce") ?? nonce;
      const reason = /"reason":"([^"]*)"/.exec(await response.text())?.[1] ?? "";
      return `${response.status} ${reason}`.trim();
    } catch (error) {
      return error instanceof DOMException && error.name === "TimeoutError" ? "hung" : "cut off";
    }
  };
  const all = (async (): Promise<void> => {
    while (state.going) {
      const proof = client.proof({ ...target, nonce });
      const edges = cluster.proxies.flatMap(({ edge }) => [edge, edge]);
      rounds.push(await Promise.all(edges.map((edge) => ask(edge, proof))));
      await wait(20);
    }
  })();
  context.after(() => (state.going = false));
  return {
    rounds,
    stop: async () => {
      state.going = false;
      await all;
    },
  };
}

/** Looks for an answer among those that come from now on. */
async function seen(replays: Replays, answer: string): Promise<void> {
  const from = replays.rounds.length + 1;
  await until(`a proof is answered ${answer}`, () =>
    replays.rounds.slice(from).some((answers) => answers.includes(answer)),
  );
}

test(
  "whatever becomes of Redis under load, no proof counts twice and no request hangs",
  turnOf("bun"),
  async (context) => {
    const started = await startWithRedis(context);
    if (started === undefined) return;
    const { cluster, redis } = started;
    const good = cluster.issuer.token({ sub: "good" });
    const load = startLoad(context, {
      targets: cluster.proxies.map(({ edge }) => edge),
      perSecond: 40,
      token: () => good,
      prefix: "/busy",
    });
    const replays = startReplays(context, cluster);
    await seen(replays, "200");
    assert.equal(await count(cluster, "before"), RATE);
    for (const harm of ["killed", "frozen", "killed and started at once"]) {
      if (harm === "frozen") redis.signal("SIGSTOP");
      else await redis.kill();
      if (harm !== "killed and started at once") {
        await seen(replays, "503 memory-unavailable");
        const alone = await count(cluster, harm);
        assert.ok(alone > RATE && alone <= 2 * RATE, `${harm}: ${alone} of twice ${RATE}`);
      }
      if (harm === "frozen") redis.signal("SIGCONT");
      else await redis.start();
      await seen(replays, "200");
      await until("limits are counted in common", async () => {
        const away = "sallyport_shared_memory_connected";
        const values = await Promise.all(cluster.proxies.map((proxy) => proxy.metric(away)));
        return values.every((value) => value === 1);
      });
      assert.equal(await count(cluster, `after it was ${harm}`), RATE);
    }
    await Promise.all([load.stop(), replays.stop()]);
    assert.deepEqual(load.failures(), {}, "requests without proofs noticed nothing");
    assertAnswered(load.answers, ANSWER_MS);
    const taken = replays.rounds.map((answers) => answers.filter((one) => one === "200").length);
    assert.ok(
      taken.every((times) => times <= 1),
      "a proof counted twice",
    );
    assert.ok(taken.filter((times) => times === 1).length > 10, "there was something to replay");
    const answers = new Set(replays.rounds.flat());
    assert.ok(!answers.has("hung") && !answers.has("cut off"), [...answers].join());
  },
);

test(
  "a proxy that is killed in the midst of counting gives nobody more than the limit",
  turnOf("bun"),
  async (context) => {
    const started = await startWithRedis(context);
    if (started === undefined) return;
    const { cluster } = started;
    const [victim, other] = cluster.proxies;
    assert.ok(victim !== undefined && other !== undefined);
    const good = cluster.issuer.token({ sub: "good" });
    const load = startLoad(context, {
      targets: [other.edge],
      perSecond: 40,
      token: () => good,
      prefix: "/busy",
    });
    for (let round = 0; round < 3; round++) {
      const counting = count(cluster, `round-${round}`);
      await wait(round * 15);
      await victim.kill();
      assert.ok((await counting) <= RATE);
      await victim.start();
      await until("it serves", async () => {
        return (await call(victim.edge, "/orders/probe", { token: good })).status === 200;
      });
      assert.ok((await count(cluster, `round-${round}`)) <= RATE);
    }
    await load.stop();
    assert.deepEqual(load.failures(), {}, "the other one noticed nothing");
    assertAnswered(load.answers, ANSWER_MS);
    await Promise.all(cluster.proxies.map((proxy) => proxy.stop()));
    for (let round = 0; round < 3; round++) {
      const permits = recorded(cluster, `round-${round}`);
      assert.ok(permits > 0 && permits <= RATE, `${permits} of ${RATE}`);
    }
  },
);

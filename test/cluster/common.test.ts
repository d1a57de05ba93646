/**
 * kill -9 of Redis, and one that hangs, under load: no proof counts twice, no limit lets more through than it
 * says, no request hangs, and all comes back by itself.
 */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { type TestContext, test } from "node:test";
import { dpopClient } from "../identity/dpop-client.ts";
import { ANSWER_MS, count, RATE, startWithRedis } from "./common.ts";
import { type Cluster, ORIGIN } from "./harness.ts";
import { assertAnswered } from "./judge.ts";
import { startLoad } from "./load.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

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
    const taken = (): number[] =>
      replays.rounds.map((answers) => answers.filter((one) => one === "200").length);
    await until("there was enough to replay", () => taken().filter(Boolean).length > 10);
    await Promise.all([load.stop(), replays.stop()]);
    assert.deepEqual(load.failures(), {}, "requests without proofs noticed nothing");
    assertAnswered(load.answers, ANSWER_MS);
    assert.ok(
      taken().every((times) => times <= 1),
      "a proof counted twice",
    );
    const answers = new Set(replays.rounds.flat());
    assert.ok(!answers.has("hung") && !answers.has("cut off"), [...answers].join());
  },
);

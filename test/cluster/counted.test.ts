/** kill -9 of a proxy in the midst of counting with others: nobody gets more than the limit. */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { test } from "node:test";
import { ANSWER_MS, count, RATE, recorded, startWithRedis } from "./common.ts";
import { assertAnswered } from "./judge.ts";
import { call, startLoad } from "./load.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

test(
  "a proxy that is killed in the midst of counting gives nobody more than the limit",
  turnOf("node"),
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
    for (let round = 0; round < 2; round++) {
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
    for (let round = 0; round < 2; round++) {
      const permits = recorded(cluster, `round-${round}`);
      assert.ok(permits > 0 && permits <= RATE, `${permits} of ${RATE}`);
    }
  },
);

/**
 * kill -9 of a proxy and of Redis while keys are issued, used and revoked: what one proxy did not hear because it was
 * dead, it knows when it serves again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startRedis, whyNoRedis } from "../redis.ts";
import { startCluster } from "./harness.ts";
import { assertRecorded, assertTakenAway, startIssuing } from "./issuing.ts";
import { assertAnswered, converged } from "./judge.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

/** Milliseconds, on a busy machine. */
const ANSWER_MS = 10_000;

test(
  "keys: a proxy and Redis die under load, and no revoked key is good afterwards",
  turnOf("bun"),
  async (context) => {
    const redis = whyNoRedis() === undefined ? await startRedis(context) : undefined;
    const cluster = await startCluster(context, {
      authorities: 1,
      proxies: 2,
      maxStalenessSeconds: 5,
      keys: true,
      ...(redis && { redis: redis.url }),
    });
    if (cluster === undefined) return;
    const [victim] = cluster.proxies;
    assert.ok(victim !== undefined);
    const issuing = startIssuing(context, cluster);
    const more = async (count: number): Promise<void> => {
      const from = issuing.keys.length;
      await until(`${count} more keys`, () => issuing.keys.length >= from + count);
    };
    await more(12);
    for (let round = 0; round < 2; round++) {
      await victim.kill();
      await more(8);
      await victim.start();
      await more(8);
    }
    await redis?.kill();
    await more(8);
    await redis?.start();
    await more(8);
    await converged(cluster);
    await issuing.stop();
    await Promise.all([...cluster.proxies, ...cluster.authorities].map((one) => one.stop()));
    assertRecorded(cluster, issuing);
    assertTakenAway(cluster, issuing);
    assertAnswered([...issuing.asked, ...issuing.uses], ANSWER_MS);
    const refused = issuing.uses.filter(
      ({ target, status }) => target !== victim.edge && status !== 200,
    );
    assert.deepEqual(refused, [], "a good key was not taken where nobody died");
  },
);

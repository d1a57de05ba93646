/**
 * kill -9 of an authority and of Postgres while keys are issued, used and revoked: no key that somebody got is on no
 * record, no revoked key is good past the bound, no request hangs, and a good key goes on being good.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "./harness.ts";
import { assertRecorded, assertTakenAway, startIssuing } from "./issuing.ts";
import { assertAnswered, converged } from "./judge.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

/** Milliseconds, on a busy machine. */
const ANSWER_MS = 10_000;

test(
  "keys: authorities and Postgres die under load, and no key is lost sight of",
  turnOf("node"),
  async (context) => {
    const cluster = await startCluster(context, {
      authorities: 2,
      proxies: 1,
      maxStalenessSeconds: 5,
      keys: true,
    });
    if (cluster === undefined) return;
    const issuing = startIssuing(context, cluster);
    const more = async (count: number): Promise<void> => {
      const from = issuing.keys.length;
      await until(`${count} more keys`, () => issuing.keys.length >= from + count);
    };
    await more(12);
    for (const [index, authority] of cluster.authorities.entries()) {
      await issuing.burst(index);
      await authority.kill();
      await more(8);
      await authority.start();
      await more(8);
    }
    await cluster.postgres.kill();
    const before = issuing.unrevoked;
    await until("a revocation waits", () => issuing.unrevoked > before);
    await cluster.postgres.start();
    await more(12);
    await converged(cluster);
    await issuing.stop();
    await Promise.all([...cluster.proxies, ...cluster.authorities].map((one) => one.stop()));
    assertRecorded(cluster, issuing);
    assertTakenAway(cluster, issuing);
    assertAnswered([...issuing.asked, ...issuing.uses], ANSWER_MS);
    const refused = issuing.uses.filter(({ status }) => status !== 200);
    assert.deepEqual(refused, [], "a good key was not taken");
  },
);

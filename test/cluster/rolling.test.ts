/** What an operator does to a cluster in use: no request and no change may fail of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, revokedSubjects } from "./admin.ts";
import { type Cluster, startCluster } from "./harness.ts";
import { converged } from "./judge.ts";
import { startLoad } from "./load.ts";
import { until } from "./machine.ts";
import { startWriter, type Writer } from "./writer.ts";
import { turnOf } from "./turn.ts";

const SLOW = turnOf("bun");

test(
  "authorities are restarted one after the other, signing keys are rotated, and no request fails",
  SLOW,
  async (context) => {
    const cluster = await startCluster(context, {
      authorities: 2,
      proxies: 2,
      maxStalenessSeconds: 10,
    });
    if (cluster === undefined) return;
    const good = cluster.issuer.token({ sub: "good" });
    const targets = cluster.proxies.map(({ edge }) => edge);
    const load = startLoad(context, { targets, perSecond: 60, token: () => good });
    const writer = startWriter(context, cluster.authorities, "changed");
    for (let round = 0; round < 2; round++) {
      for (const authority of cluster.authorities) {
        const before = writer.done.size;
        await until("some changes", () => writer.done.size > before + 5);
        assert.equal(await authority.stop(), "exit code 0");
        await authority.start();
      }
    }
    await converged(cluster);
    await rotateKeys(cluster, writer);
    await writer.stop();
    await converged(cluster);
    await load.stop();
    assert.deepEqual(load.failures(), {});
    const [authority] = cluster.authorities;
    assert.ok(authority !== undefined);
    assert.deepEqual(
      (await revokedSubjects(authority)).toSorted(),
      [...writer.done.keys()].toSorted(),
    );
  },
);

/** In order, and in an emergency. */
async function rotateKeys(cluster: Cluster, writer: Writer): Promise<void> {
  const [first, second] = cluster.authorities;
  assert.ok(first !== undefined && second !== undefined);
  for (const [index, use] of ["feed", "tokens", "feed", "feed"].entries()) {
    const authority = index % 2 === 0 ? first : second;
    const path = `/v1/keys/${use}/${index === 3 ? "emergency" : "rotate"}`;
    const answer = await admin(authority, { method: "POST", path });
    assert.ok(answer.status === 200, answer.body);
    const before = writer.done.size;
    await until("changes go on", () => writer.done.size > before + 5);
    await converged(cluster);
  }
}

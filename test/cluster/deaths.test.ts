/**
 * kill -9 of a proxy, of authorities and of Postgres, under load and in the midst of changes: nothing
 * that was answered is lost, nothing is doubled, nobody is let in who should not be, and everything
 * comes back by itself.
 */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { test } from "node:test";
import { revokedSubjects, revokeSubject } from "./admin.ts";
import { type Cluster, startCluster } from "./harness.ts";
import { assertRevoked, assertStale, converged } from "./judge.ts";
import { call, startLoad } from "./load.ts";
import { until } from "./machine.ts";
import { startWriter, type Writer } from "./writer.ts";
import { turnOf } from "./turn.ts";

const SLOW = turnOf("node");

/** What the writer was told is there, each once, the same on every authority, and in force on every proxy. */
async function assertKept(cluster: Cluster, writer: Writer): Promise<void> {
  await converged(cluster);
  const expected = [...writer.done.keys()].toSorted();
  assert.ok(expected.length > 20, "there was something to lose");
  for (const authority of cluster.authorities) {
    assert.deepEqual((await revokedSubjects(authority)).toSorted(), expected, authority.name);
  }
  for (const subject of [expected[0], expected.at(-1)]) {
    const token = cluster.issuer.token({ sub: subject, iat: Math.floor(Date.now() / 1000) - 120 });
    for (const proxy of cluster.proxies) {
      const { status, reason } = await call(proxy.edge, "/orders/probe", { token });
      assert.deepEqual([status, reason], [401, "credential-revoked"], `${proxy.name} ${subject}`);
    }
  }
}

test(
  "a proxy that is killed at any moment comes back by itself, and lets nobody in who was revoked meanwhile",
  SLOW,
  async (context) => {
    const cluster = await startCluster(context, {
      authorities: 2,
      proxies: 2,
      maxStalenessSeconds: 2,
    });
    if (cluster === undefined) return;
    const [victim, other] = cluster.proxies;
    const [authority] = cluster.authorities;
    assert.ok(victim !== undefined && other !== undefined && authority !== undefined);
    const good = cluster.issuer.token({ sub: "good" });
    const load = startLoad(context, {
      targets: [victim.edge, other.edge],
      perSecond: 40,
      token: () => good,
    });
    await until("both are served", () => load.answers.length > 40);
    const revoked = new Map<string, number>();
    for (let round = 0; round < 4; round++) {
      const mallory = `mallory-${round}`;
      const token: string = cluster.issuer.token({ sub: mallory });
      assert.equal((await call(victim.edge, "/orders/probe", { token })).status, 200);
      // Every second time the change and the death come together.
      if (round % 2 === 0) await victim.kill();
      const answer = revokeSubject(authority, mallory);
      if (round % 2 === 1) await victim.kill();
      assert.equal((await answer).status, 201);
      revoked.set(mallory, Date.now());
      // Deaths within the start: at its very beginning, and ever later.
      victim.launch();
      await wait(round * 200);
      await victim.kill();
      await victim.start();
      await until("it serves", async () => {
        return (await call(victim.edge, "/orders/probe", { token: good })).status === 200;
      });
      assert.equal((await call(victim.edge, "/orders/probe", { token })).status, 401);
    }
    await converged(cluster);
    await load.stop();
    const failed = load.answers.filter(
      ({ target, status }) => target === other.edge && status !== 200,
    );
    assert.deepEqual(failed, [], "the other one noticed nothing");
    await Promise.all(cluster.proxies.map((proxy) => proxy.stop()));
    for (const [subject, committedMs] of revoked) assertRevoked(cluster, subject, committedMs);
  },
);

test(
  "authorities that are killed in turn, and Postgres, in the midst of changes, lose and double nothing",
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
    const load = startLoad(context, { targets, perSecond: 40, token: () => good });
    const writer = startWriter(context, cluster.authorities, "changed");
    await killAuthorities(cluster, writer);
    await killPostgres(cluster, writer);
    // Short outages, each within the bound, so nobody noticed.
    assert.deepEqual(load.failures(), {}, "no request noticed");

    const before = writer.done.size;
    await until("some changes", () => writer.done.size > before + 5);
    await cluster.postgres.kill();
    const killedMs = Date.now();
    const all = async (what: "feed-stale" | undefined): Promise<boolean> => {
      const asked = cluster.proxies.map(({ edge }) => call(edge, "/orders/probe", { token: good }));
      const status = what === undefined ? 200 : 503;
      return (await Promise.all(asked)).every(
        (answer) => answer.status === status && answer.reason === what,
      );
    };
    await until("beyond the bound", () => all("feed-stale"));
    await until("some more", () => Date.now() > killedMs + cluster.maxStalenessMs + 1500);
    const startedMs = Date.now();
    await cluster.postgres.start();
    await until("all serve again", () => all(undefined));
    await writer.stop();
    await assertKept(cluster, writer);
    await load.stop();
    await Promise.all(cluster.proxies.map((proxy) => proxy.stop()));
    for (const proxy of cluster.proxies) {
      assertStale(cluster, proxy, { lastHeardMs: killedMs, untilMs: startedMs }, load.answers);
    }
  },
);

async function killAuthorities(cluster: Cluster, writer: Writer): Promise<void> {
  for (const authority of cluster.authorities) {
    const before = writer.done.size;
    await until("some changes", () => writer.done.size > before + 10);
    await authority.kill();
    const without = writer.done.size;
    await until("changes go on", () => writer.done.size > without + 5);
    await authority.start();
  }
  await converged(cluster);
}

async function killPostgres(cluster: Cluster, writer: Writer): Promise<void> {
  // An authority that was killed before gave no answer.
  const known = new Map(writer.refused);
  for (let round = 0; round < 2; round++) {
    const before = writer.done.size;
    await until("some changes", () => writer.done.size > before + 15);
    await cluster.postgres.kill();
    const refused = writer.refused.get(503) ?? 0;
    await until("changes are refused", () => (writer.refused.get(503) ?? 0) > refused + 2);
    await cluster.postgres.start();
  }
  const others = [...writer.refused].filter(
    ([status, count]) => status !== 503 && count > (known.get(status) ?? 0),
  );
  assert.deepEqual(others, [], "what cannot be done is 503");
}

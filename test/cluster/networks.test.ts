/**
 * A bad network between a proxy and every authority: cut, delayed, stalled, slow. It permits nothing
 * past its bound, the others notice nothing, and it comes back by itself.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { revokeSubject } from "./admin.ts";
import type { Chaos } from "./chaos.ts";
import { type Cluster, startCluster } from "./harness.ts";
import { assertRevoked, assertStale, converged } from "./judge.ts";
import { call, startLoad } from "./load.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

const SLOW = turnOf("node");

interface Trouble {
  readonly name: string;
  readonly begin: (line: Chaos) => void;
}

const TROUBLES: readonly Trouble[] = [
  { name: "cut", begin: (line) => line.cut() },
  { name: "stalled", begin: (line) => line.stall() },
  { name: "delayed beyond the bound", begin: (line) => line.delay(5000) },
  { name: "slow", begin: (line) => line.throttle(60) },
];

// All at once, each on a proxy of its own: a cluster takes longer to start than to suffer.
test(
  "feeds that are cut, stalled, delayed and slow permit nothing past the bound, and no other proxy notices",
  SLOW,
  async (context) => {
    const cluster = await startCluster(context, {
      authorities: 2,
      proxies: TROUBLES.length + 1,
      maxStalenessSeconds: 3,
    });
    if (cluster !== undefined) await suffer(context, cluster);
  },
);

async function suffer(context: TestContext, cluster: Cluster): Promise<void> {
  const [other, ...victims] = cluster.proxies;
  const [authority] = cluster.authorities;
  assert.ok(other !== undefined && authority !== undefined);
  const good = cluster.issuer.token({ sub: "good" });
  const mallory = cluster.issuer.token({ sub: "mallory" });
  await converged(cluster);
  const targets = cluster.proxies.map(({ edge }) => edge);
  const load = startLoad(context, { targets, perSecond: 15, token: () => good });
  const attack = startLoad(context, { targets, perSecond: 15, token: () => mallory });
  await until("all are served", () =>
    targets.every((edge) =>
      [load, attack].every(
        ({ answers }) => answers.filter(({ target }) => target === edge).length > 5,
      ),
    ),
  );
  assert.deepEqual({ ...load.failures(), ...attack.failures() }, {});

  const begunMs = Date.now();
  for (const [index, { begin }] of TROUBLES.entries()) {
    for (const line of victims[index]?.lines ?? []) begin(line);
  }
  const revoked = await revokeSubject(authority, "mallory");
  assert.equal(revoked.status, 201, revoked.body);
  const committedMs = Date.now();
  // How soon is measured by the bench: here it has to happen.
  await until("the other one knows", async () => {
    return (await call(other.edge, "/orders/probe", { token: mallory })).status === 401;
  });
  await until(
    "the bound is over, and some more",
    () => Date.now() > begunMs + cluster.maxStalenessMs + 1500,
  );
  for (const [index, victim] of victims.entries()) {
    const { status, reason } = await call(victim.edge, "/orders/probe", { token: good });
    assert.deepEqual(
      [status, reason],
      [503, "feed-stale"],
      `a feed that is ${TROUBLES[index]?.name}`,
    );
    const ready = await victim.ready();
    assert.equal(ready.status, 503, `who balances sends nothing: ${TROUBLES[index]?.name}`);
  }

  const healedMs = Date.now();
  for (const line of victims.flatMap(({ lines }) => lines)) line.heal();
  for (const [index, victim] of victims.entries()) {
    await until(`${TROUBLES[index]?.name}: it is back by itself`, async () => {
      return (await call(victim.edge, "/orders/probe", { token: good })).status === 200;
    });
  }
  await converged(cluster);
  await Promise.all([load.stop(), attack.stop()]);
  // Records of the last moment may still be on their way to the disk.
  await Promise.all(cluster.proxies.map((proxy) => proxy.stop()));
  for (const victim of victims) {
    assertStale(cluster, victim, { lastHeardMs: begunMs, untilMs: healedMs }, load.answers);
    assertStale(cluster, victim, { lastHeardMs: begunMs, untilMs: healedMs }, attack.answers);
  }
  assertRevoked(cluster, "mallory", committedMs);
  const failed = load.answers.filter(
    ({ target, status }) => target === other.edge && status !== 200,
  );
  assert.deepEqual(failed, [], "the other one noticed nothing");
}

test(
  "a feed that is late within the bound permits on, and revokes as late as it is",
  SLOW,
  async (context) => {
    const cluster = await startCluster(context, {
      authorities: 1,
      proxies: 1,
      maxStalenessSeconds: 5,
    });
    if (cluster === undefined) return;
    const [victim] = cluster.proxies;
    const [authority] = cluster.authorities;
    assert.ok(victim !== undefined && authority !== undefined);
    const good = cluster.issuer.token({ sub: "good" });
    const mallory = cluster.issuer.token({ sub: "mallory" });
    for (const line of victim.lines) line.delay(700);
    const load = startLoad(context, { targets: [victim.edge], perSecond: 40, token: () => good });
    await until("some time passes", () => load.answers.length > 200);
    const revoked = await revokeSubject(authority, "mallory");
    assert.equal(revoked.status, 201, revoked.body);
    await until("it knows", async () => {
      return (await call(victim.edge, "/orders/probe", { token: mallory })).status === 401;
    });
    await load.stop();
    assert.deepEqual(load.failures(), {});
  },
);

/**
 * Everything is started again, in any order and from any state of the disk: a proxy begins with what
 * it knew and lets nobody in before its authority is heard; what was altered is refused; all find
 * together by themselves.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { revokeSubject } from "./admin.ts";
import { type AuthorityMachine, type Cluster, type ProxyMachine, startCluster } from "./harness.ts";
import { assertRevoked, converged } from "./judge.ts";
import { call } from "./load.ts";
import { until } from "./machine.ts";
import { turnOf } from "./turn.ts";

const SLOW = turnOf("bun");

async function serves(proxy: ProxyMachine, token: string): Promise<boolean> {
  return (await call(proxy.edge, "/orders/probe", { token })).status === 200;
}

test(
  "all are killed and started again in the wrong order: proxies, authorities, Postgres",
  SLOW,
  async (context) => {
    const cluster = await startCluster(context, {
      authorities: 2,
      proxies: 2,
      maxStalenessSeconds: 2,
    });
    if (cluster === undefined) return;
    const { authorities, proxies, postgres } = cluster;
    const [authority] = authorities;
    assert.ok(authority !== undefined);
    const good = cluster.issuer.token({ sub: "good" });
    const mallory = cluster.issuer.token({ sub: "mallory" });
    assert.equal((await revokeSubject(authority, "mallory")).status, 201);
    const committedMs = Date.now();
    await converged(cluster);
    await Promise.all([...proxies, ...authorities].map((machine) => machine.kill()));
    await postgres.kill();

    const downMs = Date.now();
    await Promise.all(proxies.map((proxy) => proxy.start()));
    await until("the bound is over", () => Date.now() > downMs + 2500);
    for (const proxy of proxies) {
      const { status, reason } = await call(proxy.edge, "/orders/probe", { token: good });
      assert.deepEqual([status, reason], [503, "feed-stale"], "it waits for the authority");
      assert.equal((await proxy.ready()).status, 503);
    }
    for (const one of authorities) one.launch();
    await until("some time passes", () => Date.now() > downMs + 5000);
    await postgres.start();
    await converged(cluster);
    for (const proxy of proxies) {
      assert.equal(await serves(proxy, good), true);
      assert.equal((await call(proxy.edge, "/orders/probe", { token: mallory })).status, 401);
    }
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    assertRevoked(cluster, "mallory", committedMs);
  },
);

test(
  "a proxy that hears nobody, or whose disk was altered or put back from before, lets nobody in",
  SLOW,
  async (context) => {
    const pair = await startPair(context);
    const { cluster, authority, proxy, good, mallory } = pair;
    if (cluster === undefined) return;
    const feed = join(proxy.folder, "data/identity/feed");
    const state = join(feed, "state");
    await converged(cluster);
    const before = join(proxy.folder, "before");
    await proxy.stop();
    cpSync(feed, before, { recursive: true });
    await proxy.start();
    assert.equal((await revokeSubject(authority, "mallory")).status, 201);
    await converged(cluster);
    await startsAlone(pair);
    await converged(cluster);

    const harms: readonly (readonly [string, () => void])[] = [
      ["put back from before the revocation", () => cpSync(before, feed, { recursive: true })],
      ["altered", () => alter(state)],
      ["cut off", () => truncateSync(state, Math.floor(statSync(state).size / 2))],
      ["emptied", () => writeFileSync(state, "")],
      ["taken away", () => rmSync(feed, { recursive: true })],
      ["of an altered bundle", () => alter(bundleIn(feed))],
    ];
    for (const [harm, harmed] of harms) {
      await proxy.kill();
      harmed();
      await proxy.start();
      // From the first answer on: what it does not know, nobody gets.
      assert.notEqual(
        (await call(proxy.edge, "/orders/probe", { token: mallory })).status,
        200,
        harm,
      );
      await until(`it serves, ${harm}`, () => serves(proxy, good));
      assert.equal((await call(proxy.edge, "/orders/probe", { token: mallory })).status, 401, harm);
      await converged(cluster);
    }
    await proxy.stop();
    assert.equal(statSync(state).mode & 0o777, 0o600);
    await doesNotStart(proxy);
  },
);

/** Leaves both running. */
async function startsAlone({ authority, proxy, good, mallory }: Pair): Promise<void> {
  await authority.kill();
  await proxy.kill();
  // It listens: what it runs came from its disk.
  await proxy.start();
  for (const token of [good, mallory]) {
    const { status, reason } = await call(proxy.edge, "/orders/probe", { token });
    assert.deepEqual([status, reason], [503, "feed-stale"]);
  }
  assert.equal((await proxy.ready()).status, 503);
  await authority.start();
  await until("it serves", () => serves(proxy, good));
  assert.equal((await call(proxy.edge, "/orders/probe", { token: mallory })).status, 401);
}

/** Its key can be read by others. */
async function doesNotStart(proxy: ProxyMachine): Promise<void> {
  const key = join(proxy.folder, "data/identity/current/key.pem");
  chmodSync(key, 0o644);
  proxy.launch();
  assert.equal(await proxy.ended, "exit code 2");
  assert.match(proxy.output, /key\.pem can be read or changed by others.*chmod 0600/);
}

interface Pair {
  /** Undefined where the test is skipped. */
  readonly cluster: Cluster | undefined;
  readonly authority: AuthorityMachine;
  readonly proxy: ProxyMachine;
  readonly good: string;
  readonly mallory: string;
}

async function startPair(context: TestContext): Promise<Pair> {
  const cluster = await startCluster(context, { authorities: 1, proxies: 1 });
  const [authority] = cluster?.authorities ?? [];
  const [proxy] = cluster?.proxies ?? [];
  const token = (sub: string): string => cluster?.issuer.token({ sub }) ?? "";
  const tokens = { good: token("good"), mallory: token("mallory") };
  return {
    cluster,
    authority: authority as AuthorityMachine,
    proxy: proxy as ProxyMachine,
    ...tokens,
  };
}

/** One byte of it, in its midst. */
function alter(file: string): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

function bundleIn(folder: string): string {
  const name = readdirSync(folder).find((one) => one.startsWith("sha256-"));
  if (name === undefined) throw new TypeError("no bundle is kept");
  return join(folder, name);
}

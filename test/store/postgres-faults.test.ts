/**
 * Postgres dies, goes silent, and cuts connections, while stores write and read: nothing is lost or
 * doubled, whoever asks is answered within seconds, and all of it heals by itself.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenStore } from "../../src/store/store-deps.ts";
import { runChain } from "./chain.ts";
import { done, fact, until } from "./contract.ts";
import { follow } from "./follower.ts";
import { opener, storeDeps } from "./kit.ts";
import { sharedPostgres } from "./postgres-server.ts";
import { tcpProxy } from "./tcp-proxy.ts";
import { recordedLog } from "../ports.ts";

/** As the driver sends it: a simple query, which ends in NUL. */
const COMMIT = "COMMIT\0";

const makeDatabase = sharedPostgres();

/** Milliseconds within which everything is answered: 5 s, and what a busy machine adds. */
const BOUND = 12_000;

/** Writers that are interrupted by `disturb`, again and again, and a follower beside them. */
async function interrupted(
  open: () => Promise<OpenStore>,
  disturb: () => Promise<void>,
): Promise<void> {
  const names = ["a", "b", "c", "d"];
  const stores = await Promise.all(names.map(open));
  const reader = await open();
  let kept = 0;
  const end: { number?: number } = {};
  const following = follow(reader, () => end.number);
  let stop = false;
  const chains = Promise.all(
    names.map((name, at) =>
      runChain(stores[at] as OpenStore, name, (chain) => {
        kept = Math.max(kept, chain.steps);
        return stop;
      }),
    ),
  );
  for (let round = 0; round < 3; round += 1) {
    const before = kept;
    await until(async () => kept > before + 5);
    await disturb();
  }
  const before = kept;
  await until(async () => kept > before + 5);
  stop = true;
  const ended = await chains;
  assert.ok(
    ended.some(({ interruptions }) => interruptions > 0),
    "nothing was interrupted",
  );
  const { number } = await reader.now();
  end.number = number;
  const seen = await following;
  // Each step once, in its order, and the number of commits is that of the steps.
  let steps = 0;
  for (const name of names) {
    const own = seen.filter(
      ({ id, collection }) => collection === "bundles" && id.startsWith(name),
    );
    const expected = Array.from({ length: own.length }, (_, index) => `${name}-${index + 1}`);
    assert.deepEqual(
      own.map(({ id }) => id),
      expected,
    );
    assert.equal((await reader.get("facts", name))?.body?.["value"], own.length);
    steps += own.length;
  }
  assert.equal(number, steps);
}

test("kill -9 of Postgres between commits loses and doubles nothing", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  await interrupted(opener(t, database.url), async () => {
    await database.server.kill();
    await database.server.start();
  });
});

test("connections that the server ends are made anew", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  await interrupted(opener(t, database.url), async () => {
    await database.server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}'`,
    );
  });
});

test("connections that break in the middle of a commit are made anew", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const proxy = await tcpProxy(t, database.server.port);
  await interrupted(opener(t, database.urlAt(proxy.port)), async () => {
    proxy.hold(COMMIT);
    await proxy.held();
    proxy.reset();
    proxy.release();
  });
});

test("a stopped Postgres is said at once, and used again when it is back", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const store = await opener(t, database.url)();
  let calls = 0;
  store.watch(() => (calls += 1));
  done(await store.commit([fact("a")]));
  await database.server.stop();
  const started = performance.now();
  await assert.rejects(store.commit([fact("b")]), { code: "store-unavailable" });
  await assert.rejects(store.get("facts", "a"), { code: "store-unavailable" });
  await assert.rejects(store.now(), { code: "store-unavailable" });
  await assert.rejects(opener(t, database.url)(), { code: "store-unavailable" });
  assert.ok(performance.now() - started < BOUND);
  await database.server.start();
  const { number } = done(await store.commit([{ ...fact("b"), expect: "absent" }]));
  assert.equal(number, 2);
  // Commits of others are heard of again as well.
  const other = await opener(t, database.url)();
  const before = calls;
  await other.commit([fact("c")]);
  await until(async () => calls > before);
});

test("a Postgres that goes silent is given up within seconds", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const proxy = await tcpProxy(t, database.server.port);
  const store = await opener(t, database.urlAt(proxy.port))();
  await store.commit([fact("a")]);
  proxy.silence();
  const started = performance.now();
  await Promise.all([
    assert.rejects(store.commit([fact("b")]), { code: "store-unavailable" }),
    assert.rejects(store.get("facts", "a"), { code: "store-unavailable" }),
  ]);
  assert.ok(performance.now() - started < BOUND);
  proxy.reset();
  await until(async () => await store.get("facts", "a").then(Boolean, () => false));
});

test("a process that stops in the middle of a commit does not hold up others for ever", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const proxy = await tcpProxy(t, database.server.port);
  const stuck = await opener(t, database.urlAt(proxy.port))();
  const other = await opener(t, database.url)();
  proxy.hold(COMMIT);
  const lost = assert.rejects(stuck.commit([fact("stuck")]), { code: "store-unavailable" });
  await proxy.held();
  // Held up at first, and told so.
  await assert.rejects(other.commit([fact("a")]), { code: "store-unavailable" });
  await until(
    async () =>
      await other.commit([fact("a")]).then(
        () => true,
        () => false,
      ),
  );
  await lost;
  assert.equal(await other.get("facts", "stuck"), undefined);
});

test("commits are heard of behind a pooler that swallows notifications", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const proxy = await tcpProxy(t, database.server.port);
  proxy.swallow(true);
  const log = recordedLog();
  const store = await opener(t, database.urlAt(proxy.port), () => storeDeps(log))();
  const other = await opener(t, database.url)();
  let seen = 0;
  store.watch(() => void store.now().then(({ number }) => (seen = Math.max(seen, number))));
  for (let number = 1; number <= 3; number += 1) {
    await other.commit([fact("a", number)]);
    await until(async () => seen >= number);
  }
  await until(async () => log.lines.some((line) => line.includes("notifications do not arrive")));
  await other.commit([fact("a", 4)]);
  await until(async () => seen >= 4);
});

test("listening goes on after its connection was lost", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const log = recordedLog();
  const store = await opener(t, database.url, () => storeDeps(log))();
  const other = await opener(t, database.url)();
  let calls = 0;
  store.watch(() => (calls += 1));
  const heard = (): number =>
    log.lines.filter((line) => line.includes("heard of by notification")).length;
  await until(async () => heard() === 1);
  await database.server.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = '${database.name}' AND query LIKE 'LISTEN%'`,
  );
  await until(async () => heard() === 2);
  const before = calls;
  await other.commit([fact("a")]);
  await until(async () => calls > before);
});

/** Keys and roots on the real engines: several processes' handles, restarts, another key-encryption key. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createKek, createSealer } from "../../src/crypto/seal.ts";
import { createCertificateAuthority } from "../../src/keys/certificate-authority.ts";
import { createKeyManager, type KeyManager } from "../../src/keys/key-manager.ts";
import { KEY_USES } from "../../src/model/signing.ts";
import type { Store } from "../../src/model/store.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { rewrapStore } from "../../src/store/rewrap.ts";
import { backupSqlite } from "../../src/store/sqlite-backup.ts";
import { restoreSqlite } from "../../src/store/sqlite-restore.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { postgres } from "../postgres.ts";
import { opener, temporaryFolder } from "../store/kit.ts";
import { KeptLog, OPTIONS } from "./kit.ts";

const [first, second] = [createKek(Buffer.alloc(32, 1)), createKek(Buffer.alloc(32, 2))];
const before = createSealer({ current: first, previous: [] });
const during = createSealer({ current: second, previous: [first] });
const after = createSealer({ current: second, previous: [] });

function partsOf(t: TestContext, store: Store, sealer = before) {
  const deps = { store, sealer, clock: systemClock, timers: systemTimers };
  const own = { log: new KeptLog(), metrics: createMetrics() };
  const keys = createKeyManager(OPTIONS, { ...deps, ...own });
  const ca = createCertificateAuthority({ ...deps, log: own.log, metrics: createMetrics() });
  t.after(() => Promise.all([keys.close(), ca.close()]));
  return { keys, ca };
}

const kids = (keys: KeyManager): string[] => keys.published().map(({ kid }) => kid);

/** Resolves once it holds; looked at whenever the manager says that something changed. */
async function once(keys: KeyManager, holds: () => boolean): Promise<void> {
  if (holds()) return;
  await new Promise<void>((resolve) => {
    const end = keys.changed(() => {
      if (!holds()) return;
      end();
      resolve();
    });
  });
}

async function judge(t: TestContext, open: () => Promise<Store>): Promise<void> {
  const stores = await Promise.all(Array.from({ length: 3 }, () => open()));
  const replicas = stores.map((store) => partsOf(t, store));
  await Promise.all(replicas.flatMap(({ keys, ca }) => [keys.start(), ca.start()]));
  const [one, two] = replicas;
  assert.ok(one !== undefined && two !== undefined);
  assert.equal(kids(one.keys).length, KEY_USES.length);
  for (const { keys, ca } of replicas) {
    assert.deepEqual(kids(keys), kids(one.keys));
    assert.deepEqual(ca.roots(), one.ca.roots());
  }

  const doomed = kids(one.keys);
  await one.keys.rotate("all", { emergency: true, by: "test" });
  for (const { keys } of replicas) {
    await once(keys, () => !kids(keys).some((kid) => doomed.includes(kid)));
    assert.deepEqual(kids(keys), kids(one.keys));
  }

  const store = await open();
  await rewrapStore(store, during);
  const again = partsOf(t, await open(), after);
  await Promise.all([again.keys.start(), again.ca.start()]);
  assert.deepEqual(kids(again.keys), kids(one.keys));
  assert.equal(again.keys.signer("feed").kid, one.keys.signer("feed").kid);
  assert.deepEqual(again.ca.roots(), one.ca.roots());
}

test("keys and roots converge on SQLite, and open under another key-encryption key", async (t) => {
  const folder = await temporaryFolder(t);
  await judge(t, opener(t, `sqlite:${join(folder, "state", "store.db")}`));
});

test("keys and roots converge on Postgres, and open under another key-encryption key", async (t) => {
  const server = await postgres(t);
  if (server !== undefined) await judge(t, opener(t, server.url));
});

test("a SQLite store that is restored from before an emergency gets a feed key that is newer than it", async (t) => {
  const folder = await temporaryFolder(t);
  const [path, backup] = [join(folder, "state", "store.db"), join(folder, "backup.db")];
  const open = opener(t, `sqlite:${path}`);
  const store = await open();
  const { keys } = partsOf(t, store);
  await keys.start();
  backupSqlite(path, backup);
  await keys.rotate("feed", { emergency: true });
  const floor = keys.list().find(({ use }) => use === "feed")?.activeMs ?? Infinity;
  await keys.close();
  await store.close();
  restoreSqlite(backup, path, { replace: true, nowMs: systemClock.now() });
  const restored = await open();
  const again = partsOf(t, restored).keys;
  await again.start();
  const feed = again.list().filter(({ use }) => use === "feed");
  assert.deepEqual(
    feed.map(({ by, state }) => [by, state]),
    [["restored-store", "active"]],
  );
  assert.ok((feed[0]?.activeMs ?? 0) >= floor, "proxies keep the floor and refuse what is older");
});

/**
 * Attack: somebody has the database and not the key-encryption key, by a backup, an injection or an
 * account of the database server. Reading it, they look for private keys to sign with. Writing to it,
 * they put a public key of their own beside ours, so that what they sign verifies everywhere, or a
 * root of their own, so that any machine they certify is let in; or they put a sealed record where
 * another one belongs, so that a key signs for another use.
 *
 * Expected: nothing in the files is a private key, no such record is ever published, and the keys
 * that are there stay in force.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createKek, createSealer } from "../../src/crypto/seal.ts";
import { exportSigningKey, generateSigningKey } from "../../src/crypto/signing-key.ts";
import { createCertificateAuthority } from "../../src/keys/certificate-authority.ts";
import { createKeyManager } from "../../src/keys/key-manager.ts";
import { keyRecordBody } from "../../src/keys/key-record.ts";
import { makeRoot, rootRecordBody } from "../../src/keys/root-record.ts";
import { timesFrom } from "../../src/keys/schedule.ts";
import type { JsonObject } from "../../src/model/json.ts";
import type { Store } from "../../src/model/store.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { ManualTimers } from "../../src/platform/timers.ts";
import { KeptLog, OPTIONS, testSealer } from "../keys/kit.ts";
import { recordedMetrics } from "../ports.ts";
import { opener, temporaryFolder } from "../store/kit.ts";

const ours = testSealer();
/** The attacker can seal as well, under a key of their own. */
const theirs = createSealer({ current: createKek(Buffer.alloc(32, 9)), previous: [] });
const POLICY = { rotateMs: 1e9, graceMs: 1e9, lifetimeMs: 1e9, aheadMs: 0, makeMs: 0 };

async function ground(t: TestContext) {
  const folder = await temporaryFolder(t);
  const store = await opener(t, `sqlite:${join(folder, "state", "store.db")}`)();
  return { folder, store };
}

function authority(t: TestContext, store: Store) {
  const timers = new ManualTimers();
  const log = new KeptLog();
  const deps = { store, sealer: ours, clock: systemClock, timers, log, metrics: recordedMetrics() };
  const keys = createKeyManager(OPTIONS, deps);
  const ca = createCertificateAuthority({ ...deps, metrics: recordedMetrics() });
  t.after(() => Promise.all([keys.close(), ca.close()]));
  return { keys, ca, log };
}

test("the files of the database hold no private key", async (t) => {
  const { folder, store } = await ground(t);
  const { keys, ca } = authority(t, store);
  await Promise.all([keys.start(), ca.start()]);
  const secrets: string[] = [];
  for (const collection of ["signing-keys", "certificate-authorities"] as const) {
    for (const { id, body } of await store.list(collection, { limit: 100 })) {
      const sealed = body?.["sealed"];
      assert.ok(typeof sealed === "string");
      const plain = ours.open(sealed, `${collection}/${id}/sealed`).toString();
      const secret = (JSON.parse(plain) as { readonly private: string }).private;
      secrets.push(secret, Buffer.from(secret, "base64url").toString("latin1").slice(-24));
    }
  }
  assert.equal(secrets.length, 12);
  const files = readdirSync(join(folder, "state")).map((name) =>
    readFileSync(join(folder, "state", name)).toString("latin1"),
  );
  assert.ok(files.some((text) => text.includes("sealed:v1:")));
  for (const secret of secrets) assert.ok(!files.some((text) => text.includes(secret)));
});

test("a key or a root that was put into the database is never published", async (t) => {
  const { store } = await ground(t);
  const one = authority(t, store);
  await Promise.all([one.keys.start(), one.ca.start()]);
  const [published, roots] = [one.keys.published(), one.ca.roots()];
  const genuine = await store.get("signing-keys", "feed.000001");
  const root = await store.get("certificate-authorities", "root.000001");
  assert.ok(genuine?.body !== undefined && root?.body !== undefined);

  const nowMs = Date.now();
  const key = generateSigningKey("EdDSA");
  const { kid, algorithm, jwk } = key;
  const times = timesFrom(POLICY, nowMs, nowMs);
  const id = "tokens.000002";
  const record = { id, number: 0, use: "tokens" as const, kid, algorithm, jwk, key, signs: true };
  const forged = { ...record, ...times, because: "schedule" as const, by: undefined, replaced: [] };
  const plain = { ...forged, key: undefined, private: exportSigningKey(key).toString("base64url") };
  const bodies: readonly JsonObject[] = [
    JSON.parse(JSON.stringify(plain)) as JsonObject,
    keyRecordBody(theirs, forged),
    // Of another place: a key of the feed that is to sign tokens.
    genuine.body,
    { sealed: JSON.stringify(plain) },
    {},
  ];
  for (const body of bodies) {
    await store.commit([{ collection: "signing-keys", id, body }]);
    await assert.rejects(one.keys.rotate("tokens", { emergency: false }));
    assert.deepEqual(one.keys.published(), published);
    assert.equal(one.keys.signer("tokens").kid, published[0]?.kid);
    const other = authority(t, store);
    await assert.rejects(other.keys.start());
    assert.deepEqual(other.keys.published(), []);
    await store.commit([{ collection: "signing-keys", id, body: undefined }]);
  }

  const given = {
    id: "root.000002",
    times,
    notBeforeMs: nowMs,
    because: "first",
    by: "x",
  } as const;
  for (const body of [rootRecordBody(theirs, makeRoot(given)), root.body]) {
    await store.commit([{ collection: "certificate-authorities", id: given.id, body }]);
    await assert.rejects(one.ca.rotate({ emergency: false }));
    assert.deepEqual(one.ca.roots(), roots);
    const other = authority(t, store);
    await assert.rejects(other.ca.start());
    assert.deepEqual(other.ca.roots(), []);
  }
});

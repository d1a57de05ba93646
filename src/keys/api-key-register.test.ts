import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { testSealer } from "../../test/keys/kit.ts";
import { recordedLog } from "../../test/ports.ts";
import { createMemoryStore } from "../../test/store/memory.ts";
import { macOfApiKey } from "../crypto/api-key-text.ts";
import { apiKeyId } from "../model/api-keys.ts";
import { ManualClock } from "../platform/clock.ts";
import { apiKeyEntryOf, apiKeyGrantSchema } from "./api-key-document.ts";
import { readApiKeyMac } from "./api-key-mac.ts";
import { createApiKeyRegister } from "./api-key-register.ts";

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const GRANT = apiKeyGrantSchema.parse({
  authenticator: "partners",
  owner: "acme",
  label: "billing",
  scopes: ["a"],
  attributes: { tenant: "acme" },
  services: ["billing"],
});
const OPTIONS = { prefix: "sp_", expiresMs: NOW + 90 * DAY, by: "local/0" };
const ROTATION = { prefix: "sp_", overlapMs: DAY, lifetimeMs: 30 * DAY, by: "local/1" };

function scene(count = () => 0) {
  const clock = new ManualClock(NOW);
  const store = createMemoryStore(clock);
  const log = recordedLog();
  const sealer = testSealer();
  const deps = { store, sealer, log, randomBytes, count };
  return { clock, store, log, sealer, register: createApiKeyRegister(deps), deps };
}

test("create() keeps a keyed hash of the key, and the key nowhere", async () => {
  const { store, log, sealer, register } = scene();
  const { key, text } = await register.create(GRANT, OPTIONS);
  const document = await store.get("api-keys", key.id);
  const mac = await store.get("mac-keys", "api-keys");
  assert.ok(document !== undefined && mac !== undefined);
  const opened = readApiKeyMac(sealer, mac);
  const digest = macOfApiKey(text, createSecretKey(opened, "base64url")).toString("base64url");
  assert.equal(document.body?.["digest"], digest);
  assert.equal(key.id, apiKeyId(digest));
  const entry = apiKeyEntryOf(document);
  assert.deepEqual([entry.digest, entry.subject, entry.revoked], [digest, "acme", false]);
  const kept = JSON.stringify([document, mac, log.lines]);
  assert.ok(!kept.includes(text.slice(3, 40)) && !kept.includes(opened));
  assert.equal("digest" in key, false);
  assert.equal(document.expiresMs, OPTIONS.expiresMs + 30 * DAY);
});

test("create() of two authorities at once makes one MAC key", async () => {
  const { deps, store, sealer } = scene();
  const made = await Promise.all(
    [0, 1, 2].map(() => createApiKeyRegister(deps).create(GRANT, OPTIONS)),
  );
  const mac = await store.get("mac-keys", "api-keys");
  assert.ok(mac !== undefined);
  const key = createSecretKey(readApiKeyMac(sealer, mac), "base64url");
  for (const {
    key: { id },
    text,
  } of made) {
    assert.equal(apiKeyId(macOfApiKey(text, key).toString("base64url")), id);
  }
});

test("create() refuses more keys than can be held", async () => {
  const { register } = scene(() => 2_000_000);
  await assert.rejects(register.create(GRANT, OPTIONS), { code: "api-keys-full" });
});

test("create() tries the MAC key again where the store was away", async () => {
  const { register, store } = scene();
  store.away = true;
  await assert.rejects(register.create(GRANT, OPTIONS), { code: "store-unavailable" });
  store.away = false;
  assert.ok(await register.create(GRANT, OPTIONS));
});

test("rotate() makes a key that may the same, and ends the one before after the overlap", async () => {
  const { clock, register } = scene();
  const first = await register.create(GRANT, OPTIONS);
  clock.advance(DAY);
  const next = await register.rotate(first.key.id, ROTATION);
  assert.ok(!("refused" in next));
  assert.notEqual(next.text, first.text);
  assert.equal(next.key.expiresMs, NOW + 31 * DAY);
  assert.deepEqual(next.key.services, ["billing"]);
  assert.equal(next.key.replaces, first.key.id);
  assert.equal(next.key.createdBy, "local/1");
  const former = await register.get(first.key.id);
  assert.equal(former?.expiresMs, NOW + 2 * DAY);
  assert.equal(former?.replacedBy, next.key.id);
  assert.deepEqual(await register.rotate(first.key.id, ROTATION), { refused: "replaced" });
  // What ends earlier by itself is not made to last longer.
  const short = await register.create(GRANT, { ...OPTIONS, expiresMs: clock.now() + 60_000 });
  await register.rotate(short.key.id, ROTATION);
  assert.equal((await register.get(short.key.id))?.expiresMs, clock.now() + 60_000);
});

test("revoke() is for good, is the same when said again, and keeps a key from being replaced", async () => {
  const { clock, register } = scene();
  const { key } = await register.create(GRANT, OPTIONS);
  const revoked = await register.revoke(key.id, { by: "local/1", reason: "leaked" });
  assert.ok(!("refused" in revoked));
  assert.deepEqual(revoked.revoked, { atMs: NOW, by: "local/1", reason: "leaked" });
  clock.advance(DAY);
  const again = await register.revoke(key.id, { by: "local/2" });
  assert.ok(!("refused" in again));
  assert.deepEqual([again.revoked?.by, again.number], ["local/1", revoked.number]);
  assert.deepEqual(await register.rotate(key.id, ROTATION), { refused: "revoked" });
});

test("rotate(), revoke() and remove() want what was read, and what is there", async () => {
  const { clock, register } = scene();
  const { key } = await register.create(GRANT, OPTIONS);
  const expect = key.number + 1;
  assert.deepEqual(await register.rotate(key.id, { ...ROTATION, expect }), { refused: "changed" });
  assert.deepEqual(await register.revoke(key.id, { by: "x", expect }), { refused: "changed" });
  assert.deepEqual(await register.remove(key.id, { by: "x", expect }), { refused: "changed" });
  for (const id of ["0".repeat(32), "", "../x"]) {
    assert.deepEqual(await register.rotate(id, ROTATION), { refused: "absent" });
    assert.deepEqual(await register.revoke(id, { by: "x" }), { refused: "absent" });
    assert.deepEqual(await register.remove(id, { by: "x" }), { refused: "absent" });
    assert.equal(await register.get(id), undefined);
  }
  assert.equal(await register.remove(key.id, { by: "x", expect: key.number }), undefined);
  assert.equal(await register.get(key.id), undefined);
  const late = await register.create(GRANT, OPTIONS);
  clock.advance(91 * DAY);
  assert.deepEqual(await register.rotate(late.key.id, ROTATION), { refused: "expired" });
});

test("list() gives pages by id, each with when it was last used", async () => {
  const { register, store } = scene();
  const made: string[] = [];
  for (let index = 0; index < 5; index++) {
    made.push((await register.create(GRANT, OPTIONS)).key.id);
  }
  const ids = made.toSorted();
  const [, second = ""] = ids;
  await store.commit([
    { collection: "api-key-uses", id: second, body: { atMs: NOW } },
    { collection: "api-key-uses", id: "0".repeat(32), body: { atMs: 1 } },
  ]);
  const page = await register.list({ limit: 3 });
  assert.deepEqual(
    page.map(({ id }) => id),
    ids.slice(0, 3),
  );
  assert.deepEqual(
    page.map(({ usedMs }) => usedMs),
    [undefined, NOW, undefined],
  );
  const rest = await register.list({ limit: 3, after: ids[2] });
  assert.deepEqual(
    rest.map(({ id }) => id),
    ids.slice(3),
  );
  assert.equal((await register.get(second))?.usedMs, NOW);
});

const BAD_GRANTS: readonly object[] = [
  { owner: "" },
  { owner: "a\nb" },
  { owner: "a\u2028b" },
  { owner: "\ud800" },
  { owner: "x".repeat(257) },
  { label: "" },
  { scopes: ["a b"] },
  { scopes: ['a"b'] },
  { scopes: ["a", "a"] },
  { roles: [""] },
  { roles: Array.from({ length: 101 }, (_, index) => `r${index}`) },
  { attributes: { "1a": "x" } },
  { attributes: { a: 1.5 } },
  { attributes: { a: null } },
  { attributes: { a: { b: 1 } } },
  { services: [] },
  { more: 1 },
];
for (const bad of BAD_GRANTS) {
  test(`apiKeyGrantSchema refuses ${JSON.stringify(bad).slice(0, 60)}`, () => {
    const { success } = apiKeyGrantSchema.safeParse({ authenticator: "p", owner: "o", ...bad });
    assert.equal(success, false);
  });
}

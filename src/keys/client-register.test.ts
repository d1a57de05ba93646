import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { recordedLog } from "../../test/ports.ts";
import { createMemoryStore } from "../../test/store/memory.ts";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { ManualClock } from "../platform/clock.ts";
import { clientFromStore, clientGrantSchema, publicClientKey } from "./client-document.ts";
import { createClientRegister, type NewProof } from "./client-register.ts";

const NOW = 1_800_000_000_000;
const GRANT = clientGrantSchema.parse({ id: "billing-job", label: "nightly", roles: ["Biller"] });
const BY = { by: "local/0" };

function scene() {
  const store = createMemoryStore(new ManualClock(NOW));
  const log = recordedLog();
  return { store, log, register: createClientRegister({ store, log, randomBytes }) };
}

function keyProof(): Extract<NewProof, { type: "key" }> {
  const found = publicClientKey(generateSigningKey("ES256").jwk);
  assert.ok("jwk" in found);
  return { type: "key", ...found };
}

test("create() registers a client once, with its public key", async () => {
  const { register } = scene();
  const proof = keyProof();
  const made = await register.create(GRANT, { proof, ...BY });
  assert.ok("client" in made);
  assert.deepEqual(made.client.proofs, [{ ...proof, addedMs: NOW, addedBy: "local/0" }]);
  assert.equal(made.secret, undefined);
  const { usedMs: _, ...shown } = made.client;
  const { usedMs, ...got } = (await register.get("billing-job")) ?? { usedMs: 0 };
  assert.deepEqual(got, shown);
  assert.equal(usedMs, undefined);
  assert.deepEqual(await register.create(GRANT, BY), { refused: "exists" });
});

test("create() gives a secret once: the store, the log and later answers have none of it", async () => {
  const { register, store, log } = scene();
  const made = await register.create(GRANT, { proof: { type: "secret" }, ...BY });
  assert.ok("client" in made);
  const { secret = "" } = made;
  assert.match(secret, /^[A-Za-z0-9_-]{43}$/);
  const document = await store.get("clients", "billing-job");
  assert.ok(document !== undefined);
  const digest = createHash("sha256").update(secret).digest("base64url");
  const [proof] = clientFromStore(document).proofs;
  assert.ok(proof?.type === "secret" && proof.digest === digest);
  assert.ok(!JSON.stringify([document, log.lines]).includes(secret));
  assert.ok(!JSON.stringify([made.client, made.proof]).includes(digest));
});

test("addProof() and removeProof() change a key over, both good between; a key is there once", async () => {
  const { register } = scene();
  const [former, next] = [keyProof(), keyProof()];
  await register.create(GRANT, { proof: former, ...BY });
  const added = await register.addProof("billing-job", next, BY);
  assert.ok("client" in added);
  assert.deepEqual(
    added.client.proofs.map(({ id }) => id),
    [former.id, next.id],
  );
  assert.equal(added.proof?.id, next.id);
  assert.deepEqual(await register.addProof("billing-job", next, BY), { refused: "known" });
  const left = await register.removeProof("billing-job", former.id, BY);
  assert.ok(left !== undefined && "proofs" in left);
  assert.deepEqual(
    left.proofs.map(({ id }) => id),
    [next.id],
  );
  assert.equal(await register.removeProof("billing-job", former.id, BY), undefined);
});

test("addProof() refuses the 17th, and one for a client that there is not", async () => {
  const { register } = scene();
  await register.create(GRANT, BY);
  for (let at = 0; at < 16; at++) {
    const id = Buffer.alloc(32, at).toString("base64url");
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.ok(
      "client" in (await register.addProof("billing-job", { type: "certificate", id }, BY)),
    );
  }
  assert.deepEqual(await register.addProof("billing-job", keyProof(), BY), { refused: "full" });
  assert.deepEqual(await register.addProof("other", keyProof(), BY), { refused: "absent" });
  assert.deepEqual(await register.addProof("no/id", keyProof(), BY), { refused: "absent" });
});

test("disable() keeps who did it and why, and enable() takes it back", async () => {
  const { register } = scene();
  await register.create(GRANT, BY);
  const off = await register.disable("billing-job", { ...BY, reason: "leaked" });
  assert.ok("disabled" in off);
  assert.deepEqual(off.disabled, { atMs: NOW, by: "local/0", reason: "leaked" });
  const again = await register.disable("billing-job", { by: "local/1" });
  assert.ok("number" in again);
  assert.equal(again.number, off.number);
  const on = await register.enable("billing-job", BY);
  assert.ok("number" in on && !("disabled" in on));
});

test("every change refuses a client that is not as expected, or not there", async () => {
  const { register } = scene();
  const made = await register.create(GRANT, BY);
  assert.ok("client" in made);
  const stale = { ...BY, expect: made.client.number + 1 };
  const refused = { refused: "changed" };
  assert.deepEqual(await register.addProof("billing-job", keyProof(), stale), refused);
  assert.deepEqual(await register.removeProof("billing-job", "x", stale), refused);
  assert.deepEqual(await register.disable("billing-job", stale), refused);
  assert.deepEqual(await register.enable("billing-job", stale), refused);
  assert.deepEqual(await register.remove("billing-job", stale), refused);
  assert.equal(
    await register.remove("billing-job", { ...BY, expect: made.client.number }),
    undefined,
  );
  const absent = { refused: "absent" };
  assert.deepEqual(await register.disable("billing-job", BY), absent);
  assert.deepEqual(await register.remove("billing-job", BY), absent);
  assert.equal(await register.get("billing-job"), undefined);
});

test("list() gives pages by id, each client with when it was last used", async () => {
  const { register, store } = scene();
  for (const id of ["a", "b", "c"]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await register.create({ ...GRANT, id }, BY);
  }
  await store.commit([{ collection: "client-uses", id: "b", body: { atMs: 5 } }]);
  const first = await register.list({ limit: 2 });
  assert.deepEqual(
    first.map(({ id, usedMs }) => [id, usedMs]),
    [
      ["a", undefined],
      ["b", 5],
    ],
  );
  const rest = await register.list({ after: "b", limit: 2 });
  assert.deepEqual(
    rest.map(({ id }) => id),
    ["c"],
  );
  await assert.rejects(register.list({ limit: 1001 }), TypeError);
});

test("publicClientKey() takes a public key without what else stands there, and no private one", () => {
  const { jwk, privateKey } = generateSigningKey("EdDSA");
  const found = publicClientKey({ ...jwk, x5c: ["MII"], note: "mine" });
  assert.ok("jwk" in found);
  assert.deepEqual(found.jwk, { ...jwk });
  assert.equal(found.id, jwk["kid"]);
  for (const bad of [
    { ...privateKey.export({ format: "jwk" }) } as Record<string, string>,
    { kty: "oct", k: "AAAA" },
    { ...jwk, use: "enc" },
    {},
  ]) {
    assert.ok("fault" in publicClientKey(bad), JSON.stringify(Object.keys(bad)));
  }
});

test("a client in the store that cannot be read is a damaged store", async () => {
  const { register, store } = scene();
  await store.commit([{ collection: "clients", id: "billing-job", body: { roles: 3 } }]);
  await assert.rejects(register.get("billing-job"), { code: "store-failed" });
});

import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { desks } from "../../test/admin/desks.ts";
import { adminStage } from "../../test/admin/stage.ts";
import { TestCertificate } from "../../test/certificates.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { ConfigError } from "../model/errors.ts";
import { connectAdmin } from "./admin-connect.ts";
import { createApiKey, listApiKeys } from "./api-keys.ts";
import {
  addClientKey,
  type ClientsContext,
  createClient,
  type CreateClientOptions,
  disableClient,
  enableClient,
  listClients,
  removeClient,
  removeClientKey,
  showClient,
} from "./clients.ts";

const DAY = 86_400_000;
const OPTIONS: CreateClientOptions = { role: ["Biller"], group: [], attribute: ["tenant=acme"] };

async function ground(t: TestContext) {
  const made = await desks(t);
  const { socket } = await adminStage(t, { desks: made });
  const folder = mkdtempSync(join(tmpdir(), "sallyport-clients-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const out: string[] = [];
  const hints: string[] = [];
  const context: ClientsContext = {
    client: connectAdmin({ admin: socket, config: "sallyport.yaml" }),
    nowMs: Date.now,
    write: (text) => void out.push(text),
    hint: (line) => void hints.push(line),
    json: false,
  };
  const file = (name: string, text?: string): string => {
    const path = join(folder, name);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  };
  return { ...made, context, out, hints, file };
}

const one = new TestCertificate({ name: "billing-job" });
const pem = `-----BEGIN CERTIFICATE-----\n${one.der.toString("base64")}\n-----END CERTIFICATE-----\n`;

test("createClient() makes a key pair here: the private key in a file of its owner, the public one registered", async (t) => {
  const { context, clients, out, hints, file } = await ground(t);
  const generateKey = file("billing.pem");
  assert.equal(await createClient("billing-job", { ...OPTIONS, generateKey }, context), 0);
  assert.equal(statSync(generateKey).mode & 0o777, 0o600);
  const text = readFileSync(generateKey, "utf8");
  const { x } = createPublicKey(createPrivateKey(text)).export({ format: "jwk" });
  const client = await clients.get("billing-job");
  const [proof] = client?.proofs ?? [];
  assert.ok(proof?.type === "key");
  assert.equal(proof.jwk["x"], x);
  assert.equal("d" in proof.jwk, false);
  assert.deepEqual(out, [`billing-job  key  ${proof.id}\n`]);
  assert.ok(!`${out.join("")}${hints.join("")}`.includes(text.split("\n")[1] ?? "-"));
  assert.deepEqual([client?.roles, { ...client?.attributes }], [["Biller"], { tenant: "acme" }]);
});

test("createClient() writes over no file, and leaves no key where nothing was registered", async (t) => {
  const { context, file, clients } = await ground(t);
  const there = file("there.pem", "mine");
  const over = createClient("billing-job", { ...OPTIONS, generateKey: there }, context);
  await assert.rejects(
    over,
    (error) => error instanceof ConfigError && /file already/.test(error.message),
  );
  assert.equal(readFileSync(there, "utf8"), "mine");
  const generateKey = file("new.pem");
  const refused = createClient("declared-job", { ...OPTIONS, generateKey }, context);
  await assert.rejects(refused, /the configuration declares it/);
  assert.equal(existsSync(generateKey), false);
  assert.deepEqual(await clients.list({ limit: 10 }), []);
});

test("a key is changed over: the new one is added, both are good, the former one is taken away", async (t) => {
  const { context, clients, out, hints, file } = await ground(t);
  const [former, next] = [generateSigningKey("ES256"), generateSigningKey("EdDSA")];
  const key = file("former.json", JSON.stringify({ keys: [former.jwk] }));
  await createClient("billing-job", { ...OPTIONS, key }, context);
  const added = file("next.pem", next.publicKey.export({ type: "spki", format: "pem" }));
  assert.equal(await addClientKey("billing-job", { key: added }, context), 0);
  const both = (await clients.get("billing-job"))?.proofs.map(({ id }) => id);
  assert.deepEqual(both, [former.kid, next.kid]);
  assert.ok(
    hints.some((line) => line.endsWith(`remove-key billing-job ${former.kid}`)),
    hints.join("\n"),
  );
  assert.equal(await removeClientKey("billing-job", former.kid, context), 0);
  assert.deepEqual(
    (await clients.get("billing-job"))?.proofs.map(({ id }) => id),
    [next.kid],
  );
  assert.equal(await removeClientKey("billing-job", former.kid, context), 1);
  assert.match(out.at(-1) ?? "", new RegExp(`^key +${next.kid} `, "m"));
});

test("addClientKey() takes certificates by file and by thumbprint, and prints a secret once", async (t) => {
  const { context, clients, out, store, file } = await ground(t);
  await createClient("billing-job", OPTIONS, context);
  await addClientKey("billing-job", { certificate: file("client.pem", pem) }, context);
  await addClientKey("billing-job", { certificate: "A".repeat(43) }, context);
  out.splice(0);
  await addClientKey("billing-job", { insecureSecret: true }, context);
  const [secret = "", ...more] = out;
  assert.match(secret, /^[A-Za-z0-9_-]{43}\n$/);
  assert.deepEqual(more, []);
  const proofs = (await clients.get("billing-job"))?.proofs ?? [];
  assert.deepEqual(
    proofs.map(({ type }) => type),
    ["certificate", "certificate", "secret"],
  );
  assert.equal(proofs[0]?.id, parseCertificate(one.der).thumbprint);
  await showClient("billing-job", context);
  const kept = await Promise.all(
    (["clients", "idempotency"] as const).map((where) => store.list(where, { limit: 100 })),
  );
  assert.ok(!JSON.stringify([kept, out.slice(1)]).includes(secret.trim()));
});

test("private keys, what is no key, and two ways at once are refused before anything is sent", async (t) => {
  const { context, clients, file } = await ground(t);
  await createClient("billing-job", OPTIONS, context);
  const { privateKey, jwk } = generateSigningKey("ES256");
  const secret = privateKey.export({ type: "pkcs8", format: "pem" });
  const asJwk = { ...privateKey.export({ format: "jwk" }) };
  for (const [options, message] of [
    [{ key: file("private.pem", secret) }, /private key/],
    [{ key: file("private.json", JSON.stringify(asJwk)) }, /private or symmetric/],
    [{ key: file("two.json", JSON.stringify({ keys: [jwk, jwk] })) }, /not exactly one/],
    [{ key: file("text", "hello") }, /neither PEM nor JSON/],
    [{ key: file("absent") }, /ENOENT/],
    [{ certificate: file("both.pem", pem + secret) }, /private key/],
    [{ certificate: file("no.pem", "hello") }, /no certificate/],
    [{ key: "a", insecureSecret: true }, /more than one way/],
  ] as const) {
    await assert.rejects(addClientKey("billing-job", options, context), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!error.message.includes(String(asJwk.d)));
      return true;
    });
  }
  await assert.rejects(addClientKey("billing-job", {}, context), /say how/);
  assert.deepEqual((await clients.get("billing-job"))?.proofs, []);
});

test("disableClient() ends what the client has for good, enableClient() lifts the block alone", async (t) => {
  const { context, revocations, clients } = await ground(t);
  await createClient("billing-job", OPTIONS, context);
  assert.equal(await disableClient("billing-job", { reason: "leaked" }, context), 0);
  const target = { kind: "subject", authenticator: "keys", subject: "billing-job" } as const;
  const blocked = await revocations.list({ limit: 10 });
  assert.deepEqual(
    blocked.map((entry) => entry.target),
    [target],
  );
  assert.ok(blocked[0]?.block !== undefined && blocked[0].cutoff !== undefined);
  assert.equal((await clients.get("billing-job"))?.disabled?.reason, "leaked");
  assert.equal(await enableClient("billing-job", context), 0);
  const [left] = await revocations.list({ limit: 10 });
  assert.deepEqual([left?.block, left?.cutoff], [undefined, blocked[0].cutoff]);
  assert.equal(await removeClient("billing-job", context), 0);
  const [revoked] = await revocations.list({ limit: 10 });
  assert.ok(revoked?.cutoff !== undefined && revoked.block === undefined);
  assert.equal(await removeClient("billing-job", context), 1);
  assert.equal(await showClient("billing-job", context), 1);
});

test("enableClient() lifts no block that an operator set once the client had been disabled before", async (t) => {
  const { context, revocations } = await ground(t);
  await createClient("billing-job", OPTIONS, context);
  await disableClient("billing-job", {}, context);
  await enableClient("billing-job", context);
  const target = { kind: "subject", authenticator: "keys", subject: "billing-job" } as const;
  await revocations.revoke(target, { mode: "block", by: "local/0" });
  await disableClient("billing-job", {}, context);
  await enableClient("billing-job", context);
  assert.ok((await revocations.get(target))?.block !== undefined);
});

test("enableClient() lifts no block that an operator has set", async (t) => {
  const { context, revocations } = await ground(t);
  await createClient("billing-job", OPTIONS, context);
  const target = { kind: "subject", authenticator: "keys", subject: "billing-job" } as const;
  await revocations.revoke(target, { mode: "block", reason: "its machine", by: "local/0" });
  await disableClient("billing-job", {}, context);
  await enableClient("billing-job", context);
  const [entry] = await revocations.list({ limit: 10 });
  assert.ok(entry?.block !== undefined);
  assert.equal(entry.reason, "its machine");
});

test("listClients() shows declared and registered ones, and with --unused-for what nobody would miss", async (t) => {
  const { context, store, out, hints } = await ground(t);
  await createClient("billing-job", OPTIONS, context);
  await createClient("report-job", OPTIONS, context);
  const used = Date.now() - DAY;
  await store.commit([{ collection: "client-uses", id: "report-job", body: { atMs: used } }]);
  out.splice(0);
  await listClients({}, context);
  assert.match(out[0] ?? "", /^ID +LABEL +SOURCE/);
  assert.match(out[0] ?? "", /^declared-job +declared +active$/m);
  assert.match(out[0] ?? "", /^report-job +registered +keyless +0 +1d ago$/m);
  const later = { ...context, json: true, nowMs: () => Date.now() + 10 * DAY };
  const unused = async (unusedFor: string): Promise<string[]> => {
    out.splice(0);
    await listClients({ unusedFor }, later);
    return out
      .join("")
      .split("\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { id: string }).id);
  };
  // Ten days from now, one was registered ten days ago and the other used eleven days ago.
  assert.deepEqual(await unused("9d"), ["billing-job", "report-job"]);
  assert.deepEqual(await unused("11d"), []);
  await listClients({ unusedFor: "30d" }, context);
  assert.match(hints.at(-1) ?? "", /within 30d, or are younger/);
  await assert.rejects(listClients({ unusedFor: "soon" }, context), ConfigError);
});

test("a role that nothing knows is told, with one that is near, of clients and of API keys", async (t) => {
  const { context, hints } = await ground(t);
  await createClient("one", { ...OPTIONS, role: ["Biler", "Reporter", "Nonsense"] }, context);
  const warnings = hints.filter((line) => line.includes("warning"));
  assert.match(warnings[0] ?? "", /Role::"keys\/Biler"; did you mean Biller\?/);
  assert.match(warnings[1] ?? "", /Role::"keys\/Nonsense"$/);
  assert.equal(warnings.length, 2);
  hints.splice(0);
  const grant = { authenticator: "partners", scope: [], group: [], service: [], attribute: [] };
  await createApiKey("acme", { ...grant, role: ["Auditr", "Auditor", "Biller"] }, context);
  const told = hints.filter((line) => line.includes("warning"));
  assert.match(told[0] ?? "", /Role::"partners\/Auditr"; did you mean Auditor\?/);
  assert.match(told[1] ?? "", /Role::"Biller", for which it has to be in .*allow of partners/);
  assert.equal(told.length, 2);
});

test("listApiKeys() shows with --unused-for the keys that are good and nobody uses", async (t) => {
  const { context, out, apiKeys } = await ground(t);
  const grant = {
    authenticator: "partners",
    scope: [],
    role: [],
    group: [],
    service: [],
    attribute: [],
  };
  await createApiKey("acme", grant, context);
  await createApiKey("gone", grant, context);
  const [first, second] = await apiKeys.list({ limit: 2 });
  const gone = first?.owner === "gone" ? first : second;
  assert.ok(gone !== undefined);
  await apiKeys.revoke(gone.id, { by: "local/0" });
  const later = { ...context, json: true, nowMs: () => Date.now() + 10 * DAY };
  out.splice(0);
  await listApiKeys({ unusedFor: "9d" }, later);
  assert.deepEqual(
    out
      .join("")
      .split("\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { owner: string }).owner),
    ["acme"],
  );
  out.splice(0);
  await listApiKeys({ unusedFor: "11d" }, later);
  assert.deepEqual(out.filter(Boolean), []);
});

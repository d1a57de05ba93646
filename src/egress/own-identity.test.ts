/** Each way in which the sidecar says who it is, and that what others renew is read again. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { readJws } from "../crypto/jws.ts";
import type { WorkloadSource, WorkloadSvid } from "../identity/spiffe/workload-source.ts";
import { ManualClock } from "../platform/clock.ts";
import { createOwnIdentity } from "./own-identity.ts";
import type { EgressIdentityOptions } from "./egress-options.ts";

const ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

function ground(options: EgressIdentityOptions, svid?: () => WorkloadSvid | undefined) {
  const clock = new ManualClock(1_800_000_000_000);
  const { privateKey } = generateKeyPairSync("ed25519");
  const files = new Map([
    ["ca.pem", "-----BEGIN CERTIFICATE-----ca"],
    ["own.pem", "-----BEGIN CERTIFICATE-----1"],
    ["own.key", "-----BEGIN PRIVATE KEY-----1"],
    ["token", "first.token\n"],
    ["client.pem", privateKey.export({ type: "pkcs8", format: "pem" })],
  ]);
  const readFile = (path: string): Uint8Array => {
    const text = files.get(path);
    if (text === undefined) throw Object.assign(new Error("gone"), { code: "ENOENT" });
    return Buffer.from(text);
  };
  const workload = svid === undefined ? undefined : ({ svid } as WorkloadSource);
  const audience = "https://authority.example";
  const identity = createOwnIdentity(
    options,
    { ca: "ca.pem", audience },
    { clock, readFile, workload },
  );
  return { clock, files, identity };
}

test("a certificate is shown in the handshake, and read again when it was renewed", () => {
  const { clock, files, identity } = ground({
    certificate: "own.pem",
    key: "own.key",
    clientId: "orders",
  });
  const { tls, form, headers } = identity.present();
  assert.deepEqual(form, { client_id: "orders" });
  assert.deepEqual(headers, {});
  assert.deepEqual(tls, {
    ca: "-----BEGIN CERTIFICATE-----ca",
    cert: "-----BEGIN CERTIFICATE-----1",
    key: "-----BEGIN PRIVATE KEY-----1",
  });
  files.set("own.pem", "-----BEGIN CERTIFICATE-----2");
  clock.advance(1000);
  assert.equal(identity.tls().cert, "-----BEGIN CERTIFICATE-----2");
  files.delete("own.key");
  clock.advance(1000);
  assert.throws(() => identity.present(), { code: "fetch-failed", message: /own\.key/ });
});

test("an X.509-SVID is shown as the agent has it now; without one nothing is asked", () => {
  let current: WorkloadSvid | undefined = { certificatePem: "c1", keyPem: "k1" } as WorkloadSvid;
  const { identity } = ground({ workloadApi: true }, () => current);
  assert.deepEqual(identity.present().tls, {
    ca: "-----BEGIN CERTIFICATE-----ca",
    cert: "c1",
    key: "k1",
  });
  current = undefined;
  assert.throws(() => identity.present(), { code: "fetch-failed", message: /no X\.509-SVID/ });
});

test("a projected token goes as it lies in its file now, and never in Authorization", () => {
  const { clock, files, identity } = ground({ tokenFile: "token" });
  const first = identity.present();
  assert.deepEqual(first.form, {
    client_assertion_type: ASSERTION,
    client_assertion: "first.token",
  });
  assert.deepEqual([first.headers, first.tls.cert], [{}, undefined]);
  files.set("token", "second.token");
  clock.advance(1000);
  assert.equal(identity.present().form["client_assertion"], "second.token");
  files.set("token", "no token at all");
  clock.advance(1000);
  assert.throws(() => identity.present(), { code: "fetch-failed", message: /no bearer token/ });
});

test("a private key signs for the authority and nobody else; a file that comes late is waited for", () => {
  const { files, identity } = ground({ clientId: "orders", privateKey: "client.pem", keyId: "k" });
  const pem = files.get("client.pem") ?? "";
  files.delete("client.pem");
  assert.throws(() => identity.present(), { code: "key-invalid" });
  files.set("client.pem", pem);
  const { form } = identity.present();
  const jws = readJws(form["client_assertion"] ?? "");
  assert.ok(!("fault" in jws));
  const { iss, sub, aud } = jws.claims;
  assert.deepEqual(
    [form["client_id"], iss, sub, aud],
    ["orders", "orders", "orders", "https://authority.example"],
  );
  assert.equal(jws.kid, "k");
});

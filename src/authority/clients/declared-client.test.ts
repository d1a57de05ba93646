import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCertificate } from "../../../test/certificates.ts";
import { parseCertificate } from "../../crypto/certificate.ts";
import { generateSigningKey } from "../../crypto/signing-key.ts";
import {
  clientPrincipalSchema,
  createClientPrincipals,
} from "../../identity/claims/client-principal.ts";
import { ConfigError } from "../../model/errors.ts";
import { clientsSchema, mapClientFiles } from "../client-options.ts";
import { clientSecretFault, readDeclaredClient, secretDigest } from "./declared-client.ts";
import { createDeclaredClients, sharedProofs } from "./declared-clients.ts";

const SECRET = "Zm9vYmFyYmF6cXV4-0123456789_abcd";
const key = generateSigningKey("ES256");
const certificate = new TestCertificate({ name: "billing-job" });
const pem = `-----BEGIN CERTIFICATE-----\n${certificate.der.toString("base64")}\n-----END CERTIFICATE-----\n`;
const privatePem = key.privateKey.export({ type: "pkcs8", format: "pem" });
const FILES: Readonly<Record<string, string>> = {
  "jwks.json": JSON.stringify({ keys: [key.jwk, { kty: "EC", use: "enc" }] }),
  "private.json": JSON.stringify({ keys: [key.privateKey.export({ format: "jwk" })] }),
  "none.json": JSON.stringify({ keys: [] }),
  "text.json": "keys",
  "key.pem": privatePem,
  "client.pem": pem,
  "both.pem": pem + privatePem,
  "public.pem": key.publicKey.export({ type: "spki", format: "pem" }),
  "large.json": "x".repeat(600 * 1024),
};
const deps = {
  readFile(path: string): Uint8Array {
    const text = FILES[path];
    if (text === undefined) throw Object.assign(new Error("no"), { code: "ENOENT" });
    return Buffer.from(text);
  },
  principals: createClientPrincipals(
    "keys",
    clientPrincipalSchema.parse({ attributes: { tenant: { type: "string", default: "none" } } }),
  ),
};

function read(options: object) {
  const { one } = clientsSchema.parse({ one: options });
  assert.ok(one);
  return readDeclaredClient("one", one, deps);
}

test("readDeclaredClient() gives the ways in which it proves who it is, and who it is to policies", () => {
  const found = read({
    keys: "file:jwks.json",
    certificates: ["file:client.pem", "A".repeat(43)],
    insecureSecret: SECRET,
    roles: ["Biller"],
    groups: ["night"],
    attributes: { tenant: "acme" },
  });
  assert.ok("client" in found);
  const { principal, keys, ...rest } = found.client;
  assert.deepEqual(
    keys.map((one) => ({ ...one })),
    [key.jwk],
  );
  assert.deepEqual(rest, {
    id: "one",
    certificates: [parseCertificate(certificate.der).thumbprint, "A".repeat(43)],
    secrets: [secretDigest(SECRET)],
    source: "declared",
  });
  assert.deepEqual(
    [principal.kind, principal.authenticator, principal.subject],
    ["workload", "keys", "one"],
  );
  assert.deepEqual([principal.roles, principal.groups], [["Biller"], ["keys/night"]]);
  assert.deepEqual({ ...principal.attributes }, { tenant: "acme" });
});

const REFUSED: readonly (readonly [string, object, string, RegExp])[] = [
  ["a private key as JWK", { keys: "file:private.json" }, "keys", /private or symmetric key/],
  [
    "a private key in PEM where a key set should be",
    { keys: "file:key.pem" },
    "keys",
    /private key.*replace that key/,
  ],
  ["a key set without keys", { keys: "file:none.json" }, "keys", /no usable signature key/],
  ["what is no JSON", { keys: "file:text.json" }, "keys", /cannot be used/],
  ["a file that is too large", { keys: "file:large.json" }, "keys", /larger than/],
  [
    "a file that is not there",
    { keys: "file:absent.json" },
    "keys",
    /^absent\.json cannot be read \(ENOENT\)/,
  ],
  [
    "a public key in PEM where a key set should be",
    { keys: "file:public.pem" },
    "keys",
    /^public\.pem cannot be used: it holds PEM, not a JWK Set/,
  ],
  [
    "a certificate that is not there",
    { certificates: ["file:absent.pem"] },
    "certificates.0",
    /^absent\.pem cannot be read \(ENOENT\)/,
  ],
  [
    "a certificate with its private key",
    { certificates: ["file:both.pem"] },
    "certificates.0",
    /private key/,
  ],
  [
    "a public key where a certificate should be",
    { certificates: ["A".repeat(43), "file:public.pem"] },
    "certificates.1",
    /no certificate in PEM/,
  ],
  [
    "a secret that is too short",
    { insecureSecret: SECRET.slice(1) },
    "insecureSecret",
    /fewer than 32 characters/,
  ],
  [
    "a secret of few different characters",
    { insecureSecret: "ab".repeat(20) },
    "insecureSecret",
    /fewer than 10 different/,
  ],
  [
    "an attribute that is not declared",
    { insecureSecret: SECRET, attributes: { region: "eu" } },
    "attributes",
    /region is not declared/,
  ],
  [
    "an attribute of another type",
    { insecureSecret: SECRET, attributes: { tenant: 3 } },
    "attributes",
    /tenant/,
  ],
];

for (const [what, options, at, message] of REFUSED) {
  test(`readDeclaredClient() refuses ${what}, and says nothing of it`, () => {
    const found = read(options);
    assert.ok("faults" in found);
    assert.deepEqual(
      found.faults.map((fault) => fault.at.join(".")),
      [at],
    );
    assert.match(found.faults[0]?.message ?? "", message);
    assert.doesNotMatch(JSON.stringify(found.faults), /Zm9v|MIG|MFkw|abab/);
    if (at === "keys") assert.match(found.faults[0]?.remedy ?? "", /JWK Set.*PEM.*createPublicKey/);
  });
}

test("clientsSchema refuses a client that could not prove who it is, and an id that could be another's", () => {
  for (const clients of [
    { one: { roles: ["Biller"] } },
    { "spiffe://example.org/one": { keys: "file:jwks.json" } },
    { "system:one": { keys: "file:jwks.json" } },
    { one: { keys: "jwks.json" } },
    { one: { keys: "https://example.org/jwks.json" } },
    { one: { certificates: ["not a thumbprint"] } },
    { one: { certificates: [] } },
    { one: { keys: "file:jwks.json", roles: ["corp/Reader"] } },
    { one: { keys: "file:jwks.json", secret: SECRET } },
  ]) {
    assert.equal(clientsSchema.safeParse(clients).success, false, JSON.stringify(clients));
  }
});

test("clientSecretFault() takes what is random, also where it is hex", () => {
  assert.equal(clientSecretFault("3f0a1c5be98d7762410ffeab90cd8e15"), undefined);
});

test("createDeclaredClients() warns of secrets, and throws where a file has changed since it was checked", () => {
  const warned: unknown[] = [];
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (...all: unknown[]) => void warned.push(all),
  };
  const clients = clientsSchema.parse({
    one: { keys: "file:jwks.json" },
    two: { insecureSecret: SECRET },
  });
  const declared = createDeclaredClients(clients, { ...deps, log });
  assert.deepEqual([...declared.keys()], ["one", "two"]);
  assert.deepEqual(warned, [
    ["an insecure option is on", { client: "two", option: "insecureSecret" }],
  ]);
  const gone = clientsSchema.parse({ one: { keys: "file:absent.json" } });
  assert.throws(
    () => createDeclaredClients(gone, { ...deps, log }),
    (error) => error instanceof ConfigError && /clients\.one\.keys: .*ENOENT/.test(error.message),
  );
});

test("sharedProofs() finds a key or a certificate that two clients have", () => {
  const one = read({ keys: "file:jwks.json", certificates: ["file:client.pem"] });
  assert.ok("client" in one);
  const other = { ...one.client, id: "other" };
  assert.deepEqual(sharedProofs([one.client, other]), [
    { id: "other", with: "one", what: "keys" },
    { id: "other", with: "one", what: "certificates" },
  ]);
  assert.deepEqual(
    sharedProofs([one.client, { ...other, keys: [], certificates: ["B".repeat(43)] }]),
    [],
  );
});

test("mapClientFiles() changes paths, and thumbprints not", () => {
  const clients = clientsSchema.parse({
    one: { keys: "file:jwks.json", certificates: ["file:client.pem", "A".repeat(43)] },
    two: { insecureSecret: SECRET },
  });
  const mapped = mapClientFiles(clients, (file) => `/etc/${file}`);
  assert.equal(mapped["one"]?.keys, "file:/etc/jwks.json");
  assert.deepEqual(mapped["one"]?.certificates, ["file:/etc/client.pem", "A".repeat(43)]);
  assert.deepEqual(mapped["two"], clients["two"]);
});

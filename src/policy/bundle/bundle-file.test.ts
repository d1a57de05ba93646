import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { readPublicKey, type VerificationKey } from "../../crypto/jwk.ts";
import { readPrivateKey } from "../../crypto/private-key.ts";
import { type JwsSigner, signJws } from "../../crypto/sign-jws.ts";
import { SallyportError } from "../../model/errors.ts";
import { readBundleFile, writeBundleFile } from "./bundle-file.ts";

const CONTENT = {
  source: {
    files: [{ name: "policies/a.cedar", text: '@id("a") permit (principal, action, resource);' }],
    vocabulary: { authenticators: [], services: [], routes: [] },
  },
  tests: [{ name: "tests/a.yaml", text: "cases: []\n" }],
};
const NOW = 1_700_000_000_500;

interface Pair {
  readonly signer: JwsSigner;
  readonly key: VerificationKey;
}

function pair(type: "ed25519" | "ec" | "rsa"): Pair {
  const { privateKey, publicKey } =
    type === "ed25519"
      ? generateKeyPairSync("ed25519")
      : type === "ec"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  const key = readPublicKey({ ...publicKey.export({ format: "jwk" }) } as never);
  assert.ok(typeof key === "object");
  return { signer: readPrivateKey(pem, key.thumbprint), key };
}

const refusal = (pattern: RegExp) => (error: unknown) =>
  error instanceof SallyportError && error.code === "policy-invalid" && pattern.test(error.message);

type Document = Record<string, unknown> & { signatures: string[]; policies: string };

/** The document after `change`. */
function changed(text: string, change: (document: Document) => void): string {
  const document = JSON.parse(text) as Document;
  change(document);
  return JSON.stringify(document);
}

for (const type of ["ed25519", "ec", "rsa"] as const) {
  test(`readBundleFile() gives back what ${type} has signed`, () => {
    const { signer, key } = pair(type);
    const { hash, text } = writeBundleFile(CONTENT, { signers: [signer], now: NOW });
    const read = readBundleFile(text, [pair("ed25519").key, key]);
    assert.equal(read.hash, hash);
    assert.deepEqual(read.source.files, CONTENT.source.files);
    assert.deepEqual(read.tests, CONTENT.tests);
    assert.deepEqual(read.signed, { key: key.thumbprint, at: 1_700_000_000 });
  });
}

test("readBundleFile() takes a second signature where the first is of a key that it does not have", () => {
  const [old, young] = [pair("ed25519"), pair("ec")];
  const { text } = writeBundleFile(CONTENT, { signers: [old.signer, young.signer], now: NOW });
  assert.equal(readBundleFile(text, [young.key]).signed?.key, young.key.thumbprint);
  assert.equal(readBundleFile(text, [old.key]).signed?.key, old.key.thumbprint);
});

test("readBundleFile() asks for no signature where it has no keys", () => {
  const { text } = writeBundleFile(CONTENT, { signers: [], now: NOW });
  assert.equal(readBundleFile(text, undefined).signed, undefined);
});

test("readBundleFile() refuses what is not signed, or signed over something else", () => {
  const { signer, key } = pair("ed25519");
  const bare = writeBundleFile(CONTENT, { signers: [], now: NOW });
  assert.throws(() => readBundleFile(bare.text, [key]), refusal(/nobody has signed/));
  assert.throws(() => readBundleFile(bare.text, []), refusal(/nobody has signed/));
  const { text } = writeBundleFile(CONTENT, { signers: [signer], now: NOW });
  const [signature = ""] = (JSON.parse(text) as Document).signatures;
  const none = refusal(/none of its/);
  assert.throws(() => readBundleFile(text, [pair("ed25519").key]), none);
  const otherTests = changed(text, (document) => {
    document["tests"] = [];
  });
  assert.throws(() => readBundleFile(otherTests, [key]), none);
  const others = writeBundleFile({ ...CONTENT, tests: [] }, { signers: [], now: NOW });
  const moved = changed(others.text, (document) => document.signatures.push(signature));
  assert.throws(() => readBundleFile(moved, [key]), none);
  const { hash } = bare;
  const claims = { hash, tests: "sha256-x", iat: 1 };
  const foreign = signJws(signer, { typ: "JWT" }, claims);
  const asToken = changed(bare.text, (document) => document.signatures.push(foreign));
  assert.throws(() => readBundleFile(asToken, [key]), none);
});

test("readBundleFile() refuses a signature of its content under another type", () => {
  const { signer, key } = pair("ed25519");
  const { text } = writeBundleFile(CONTENT, { signers: [signer], now: NOW });
  const retyped = changed(text, (document) => {
    const payload = (document.signatures[0] ?? "").split(".")[1] ?? "";
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as never;
    document.signatures = [signJws(signer, { typ: "JWT" }, claims)];
  });
  assert.throws(() => readBundleFile(retyped, [key]), refusal(/none of its/));
});

test("readBundleFile() refuses what is altered, and what it does not know", () => {
  const { text } = writeBundleFile(CONTENT, { signers: [], now: NOW });
  const rows: [string, RegExp][] = [
    [changed(text, (one) => (one.policies = one.policies.replace("permit", "forbid"))), /bytes/],
    [changed(text, (one) => (one["format"] = 2)), /at "format"/],
    [changed(text, (one) => (one["more"] = 1)), /none that this version knows/],
    [`${text}x`, /no JSON/],
    ["", /no JSON/],
  ];
  for (const [bad, pattern] of rows) {
    assert.throws(() => readBundleFile(bad, undefined), refusal(pattern));
  }
});

test("writeBundleFile() writes the same text for the same content", () => {
  const { signer } = pair("ed25519");
  const write = (): string => writeBundleFile(CONTENT, { signers: [signer], now: NOW }).text;
  assert.equal(write(), write());
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { corpora } from "../../../test/corpora.ts";
import { createRoot } from "../../../test/certificates.ts";
import { createJwtAuthority, spiffeBundle } from "../../../test/spiffe.ts";
import { readBundleDocument, readTrustBundle, sameAuthorities } from "./trust-bundle.ts";

const root = createRoot("Root", { uri: ["spiffe://prod.example"] });
const other = createRoot("Other");
const jwt = createJwtAuthority("k1");

const read = (document: unknown) =>
  readTrustBundle(Buffer.from(JSON.stringify(document)), "prod.example");

const folder = corpora("spiffe");
const absent = { skip: folder === undefined && "the corpus is not here" };

/** Of the corpus: what is in each file, or which rule refuses it. */
const CORPUS: readonly (readonly [string, { x509: number; jwt: number } | RegExp])[] = [
  ["bundle/spiffebundle/testdata/spiffebundle_valid_1.json", { x509: 1, jwt: 1 }],
  ["bundle/spiffebundle/testdata/spiffebundle_valid_2.json", { x509: 1, jwt: 6 }],
  ["bundle/spiffebundle/testdata/spiffebundle_valid_with_wit.json", { x509: 1, jwt: 2 }],
  ["bundle/spiffebundle/testdata/spiffebundle_missing_kid.json", /keys\[1\] has no kid/],
  ["bundle/spiffebundle/testdata/spiffebundle_multiple_x509.json", /exactly one certificate/],
  ["bundle/spiffebundle/testdata/spiffebundle_no_keys.json", /list `keys`/],
  // The corpus only asks whether they can be parsed. They have no basic constraints, so no path could
  // lead to them; and a certificate that stands in a bundle itself would be trusted as it is.
  ["bundle/x509bundle/testdata/cert.pem", /CN=PEMUTILTEST1 is no authority/],
  ["bundle/x509bundle/testdata/certs.pem", /CN=PEMUTILTEST1 is no authority/],
  ["bundle/x509bundle/testdata/corrupted.pem", /./],
  ["bundle/x509bundle/testdata/empty.pem", /no certificate in PEM/],
  ["bundle/x509bundle/testdata/key.pem", /but private key/],
  ["bundle/x509bundle/testdata/not-pem.pem", /no certificate in PEM/],
];

for (const [file, expected] of CORPUS) {
  test(`readTrustBundle() reads ${file} as the corpus says`, absent, () => {
    const bytes = readFileSync(join(folder ?? "", file));
    if (expected instanceof RegExp) {
      assert.throws(() => readTrustBundle(bytes, "prod.example"), expected);
      return;
    }
    const bundle = readTrustBundle(bytes, "prod.example");
    assert.deepEqual({ x509: bundle.x509.length, jwt: bundle.jwt.size }, expected);
  });
}

test("readTrustBundle() gives authorities, keys, sequence and hint", () => {
  const bundle = read(
    spiffeBundle([root, other], [jwt], { spiffe_sequence: 7, spiffe_refresh_hint: 60 }),
  );
  assert.deepEqual(
    bundle.x509.map(({ thumbprint }) => thumbprint),
    [root.thumbprint, other.thumbprint],
  );
  assert.deepEqual([...bundle.jwt.keys()], ["k1"]);
  assert.deepEqual([bundle.sequence, bundle.refreshHintSeconds], [7, 60]);
});

test("readTrustBundle() takes an empty list: all keys were taken back", () => {
  const bundle = read({ keys: [] });
  assert.deepEqual([bundle.x509.length, bundle.jwt.size], [0, 0]);
});

test("readTrustBundle() passes over uses that it does not know", () => {
  const { use: _, ...without } = jwt.jwk;
  const bundle = read({ keys: [without, { ...jwt.jwk, use: "sig" }, { use: "x", kty: "oct" }] });
  assert.deepEqual([bundle.x509.length, bundle.jwt.size], [0, 0]);
});

const leaf = root.issue({ name: "leaf", uri: ["spiffe://prod.example/a"] });
const workload = root.issue({
  name: "workload",
  authority: true,
  uri: ["spiffe://prod.example/a"],
});
const x5c = (value: unknown): object => ({ keys: [{ use: "x509-svid", kty: "EC", x5c: value }] });

/** Each is refused whole. */
const REFUSED: readonly (readonly [string, unknown, RegExp])[] = [
  ["a list", [], /no SPIFFE bundle/],
  ["keys that are no list", { keys: {} }, /list `keys`/],
  ["a member that is no object", { keys: ["x"] }, /not an object/],
  ["a hundred and one keys", { keys: Array.from({ length: 101 }, () => ({})) }, /at most 100/],
  ["an authority without x5c", x5c(undefined), /exactly one certificate/],
  ["an empty x5c", x5c([]), /exactly one certificate/],
  [
    "two certificates in x5c",
    x5c([root.der.toString("base64"), other.der.toString("base64")]),
    /exactly one/,
  ],
  ["base64url in x5c", x5c([root.der.toString("base64url")]), /not base64/],
  [
    "bytes behind the certificate",
    x5c([Buffer.concat([root.der, Buffer.from([0])]).toString("base64")]),
    /keys\[0\]/,
  ],
  ["an end entity", spiffeBundle([leaf]), /no authority/],
  ["an authority with a workload's ID", spiffeBundle([workload]), /no trust domain's/],
  ["a key without kid", { keys: [{ ...jwt.jwk, kid: undefined }] }, /no kid/],
  ["a key with an empty kid", { keys: [{ ...jwt.jwk, kid: "" }] }, /no kid/],
  ["a kid that stands twice", spiffeBundle([], [jwt, createJwtAuthority("k1")]), /stands twice/],
  ["a private key", { keys: [{ ...jwt.jwk, d: "AA" }] }, /private/],
  ["a key that is none", { keys: [{ ...jwt.jwk, x: "AA" }] }, /keys\[0\]|no usable/],
  ["a sequence that is no number", { keys: [], spiffe_sequence: "7" }, /spiffe_sequence/],
  ["a sequence below zero", { keys: [], spiffe_sequence: -1 }, /spiffe_sequence/],
  ["a hint with a fraction", { keys: [], spiffe_refresh_hint: 1.5 }, /spiffe_refresh_hint/],
];

for (const [what, document, rule] of REFUSED) {
  test(`readTrustBundle() refuses ${what}`, () => {
    assert.throws(() => read(document), rule);
  });
}

test("readBundleDocument() refuses what is no object", () => {
  for (const document of [[], "x", null]) {
    assert.throws(() => readBundleDocument(document, "prod.example"), /JSON object/);
  }
});

test("readTrustBundle() refuses PEM as keys of JWT-SVIDs, and takes a bundle without any", () => {
  const pem = Buffer.from(root.pem);
  assert.throws(() => readTrustBundle(pem, "prod.example", "jwt-bundles"), /keys of JWT-SVIDs/);
  assert.equal(readTrustBundle(pem, "prod.example", "x509-bundles").x509.length, 1);
  const empty = Buffer.from('{"keys":[]}');
  assert.equal(readTrustBundle(empty, "prod.example", "jwt-bundles").jwt.size, 0);
});

test("readTrustBundle() takes a hundred authorities in PEM and no more", () => {
  const of = (count: number) =>
    readTrustBundle(Buffer.from(root.pem.repeat(count)), "prod.example").x509.length;
  assert.equal(of(100), 100);
  assert.throws(() => of(101), /at most 100/);
});

test("readTrustBundle() refuses two members of one name, and more bytes than the limit", () => {
  const twice = Buffer.from('{"keys":[],"keys":[]}');
  assert.throws(() => readTrustBundle(twice, "prod.example"), /strict JSON/);
  const large = Buffer.from(JSON.stringify({ keys: [], x: "x".repeat(600 * 1024) }));
  assert.throws(() => readTrustBundle(large, "prod.example"), /more than/);
});

test("sameAuthorities() compares what is in bundles, not their order and numbers", () => {
  const one = read(spiffeBundle([root, other], [jwt], { spiffe_sequence: 1 }));
  const same = read(spiffeBundle([other, root], [jwt], { spiffe_sequence: 2 }));
  const fewer = read(spiffeBundle([root], [jwt]));
  const rekeyed = read(spiffeBundle([root, other], [createJwtAuthority("k1")]));
  assert.equal(sameAuthorities(one, same), true);
  assert.equal(sameAuthorities(one, fewer), false);
  assert.equal(sameAuthorities(one, rekeyed), false);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { corpora } from "../../../test/corpora.ts";
import { createRoot } from "../../../test/certificates.ts";
import { type Certificate, parseCertificate } from "../../crypto/certificate.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { claimsTrustDomain, signersFault, svidOf } from "./mtls-svid.ts";

const folder = corpora("spiffe");
const absent = { skip: folder === undefined && "the corpus is not here" };

/** The file, and the ID in it or the rule that it breaks. */
const CORPUS: readonly (readonly [string, string | RegExp])[] = [
  ["good-cert-and-key.pem", "spiffe://example.org/workload-1"],
  ["good-key-and-cert.pem", "spiffe://example.org/workload-1"],
  ["good-leaf-only.pem", "spiffe://example.org/workload-1"],
  ["good-leaf-and-intermediate.pem", "spiffe://example.org/workload-1"],
  ["wrong-leaf-empty-id.pem", /0 URIs/],
  ["wrong-leaf-ca-true.pem", /of an authority/],
  ["wrong-leaf-cert-sign.pem", /keyCertSign/],
  ["wrong-leaf-crl-sign.pem", /cRLSign/],
  ["wrong-leaf-no-digital-signature.pem", /digitalSignature/],
  ["wrong-intermediate-no-ca.pem", /signs, and is no authority/],
  ["wrong-intermediate-no-key-cert-sign.pem", /signs, and its key usage has no keyCertSign/],
];

for (const [file, expected] of CORPUS) {
  test(`svidOf() and signersFault() judge ${file} as the corpus says`, absent, () => {
    const text = readFileSync(join(folder ?? "", "svid/x509svid/testdata", file), "latin1");
    const [leaf, ...signers] = pemBlocks(text, "CERTIFICATE").map(parseCertificate);
    assert.ok(leaf !== undefined);
    const found = judged(leaf, signers);
    if (expected instanceof RegExp) assert.match(found, expected);
    else assert.equal(found, expected);
  });
}

test("a file of the corpus that is no certificate is none", absent, () => {
  for (const file of ["corrupt-cert.pem", "not-pem"]) {
    const text = readFileSync(join(folder ?? "", "svid/x509svid/testdata", file), "latin1");
    assert.throws(() => {
      const [first] = pemBlocks(text, "CERTIFICATE");
      assert.ok(first !== undefined);
      parseCertificate(first);
    });
  }
});

/** Whoever stands behind those that signed is trusted by the bundle. */
function judged(leaf: Certificate, signers: readonly Certificate[]): string {
  const id = svidOf(leaf);
  if ("detail" in id) return id.detail;
  const anchor = parseCertificate(createRoot("Anchor").der);
  return signersFault([...signers, anchor]) ?? `spiffe://${id.trustDomain}${id.path}`;
}

/** Whose authenticator judges a certificate with this URI. */
const CLAIMS: readonly (readonly [string, boolean])[] = [
  ["spiffe://prod.example/a", true],
  ["spiffe://prod.example", true],
  ["SPIFFE://PROD.example/a", true],
  ["spiffe:///prod.example/a", true],
  ["spiffe:prod.example/a", true],
  ["spiffe://me@prod.example/a", true],
  ["spiffe://prod.example:1/a", true],
  ["spiffe://prod.example?a", true],
  ["spiffe://prod.example.evil.org/a", false],
  ["spiffe://evil.org/prod.example", false],
  ["https://prod.example/a", false],
];

for (const [uri, expected] of CLAIMS) {
  test(`claimsTrustDomain() is ${expected} for ${uri}`, () => {
    const certificate = parseCertificate(createRoot("x", { uri: [uri] }).der);
    assert.equal(claimsTrustDomain(certificate, "prod.example"), expected);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRoot, type TestCertificate } from "../../test/certificates.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { readRevocationLists } from "../crypto/revocation-list.ts";
import { type PeerTrust, verifyPeer } from "./tls-peer.ts";

const NOW = Date.UTC(2026, 5, 1);
const files = createRoot("Files");
const domain = createRoot("Domain", { uri: ["spiffe://prod.example"] });

const svid = (issuer: TestCertificate, id = "spiffe://prod.example/a"): TestCertificate =>
  issuer.issue({ name: "svid", uri: [id] });

function peer(leaf: TestCertificate, current: PeerTrust) {
  const presented = { certificates: [leaf.der], authorized: true, authorizationError: undefined };
  return verifyPeer(presented, { current }, NOW);
}

const anchors = [files, domain].map(({ der }) => parseCertificate(der));

test("verifyPeer() looks at revocation lists for the authorities that have some, and no others", () => {
  const lists = readRevocationLists(files.crlDer());
  const unlisted = new Set([domain.thumbprint]);
  assert.equal(peer(svid(files), { anchors, lists, unlisted }).refusal(NOW), undefined);
  assert.equal(peer(svid(domain), { anchors, lists, unlisted }).refusal(NOW), undefined);
  // Without that, what has no list cannot be known to be good.
  assert.equal(peer(svid(domain), { anchors, lists }).refusal(NOW), "revocation-unknown");
  const leaf = svid(files);
  const revoked = readRevocationLists(files.crlDer({ revoked: [leaf] }));
  assert.equal(
    peer(leaf, { anchors, lists: revoked, unlisted }).refusal(NOW),
    "certificate-revoked",
  );
});

test("verifyPeer() says that a caller cannot be judged while its trust domain's authorities are unknown", () => {
  const unknown = new Set(["far.example"]);
  const trust = { anchors, lists: undefined, unknown };
  const stranger = createRoot("Far");
  const far = peer(svid(stranger, "spiffe://far.example/a"), trust);
  assert.equal(far.refusal(NOW), "identity-unavailable");
  assert.equal(far.certificate, undefined);
  assert.match(far.detail ?? "", /far\.example/);
  // Of a trust domain that is known, or of none, it is no good.
  assert.equal(peer(svid(stranger), trust).refusal(NOW), "untrusted-certificate");
  assert.equal(peer(stranger.issue({ name: "x" }), trust).refusal(NOW), "untrusted-certificate");
});

test("verifyPeer() gives what was presented, its own first", () => {
  const leaf = svid(domain);
  const tls = peer(leaf, { anchors, lists: undefined });
  assert.deepEqual(
    tls.presented.map((der) => Buffer.from(der).equals(leaf.der)),
    [true],
  );
  assert.equal(tls.certificate?.spiffeId, "spiffe://prod.example/a");
  const none = svid(domain, "spiffe://prod.example/a/../b");
  assert.equal(peer(none, { anchors, lists: undefined }).certificate?.spiffeId, undefined);
});

/** `2.5.29.30`, name constraints: not critical, and enforced by nobody but the runtime. */
const NAME_CONSTRAINTS = Buffer.from("300906035 51d1e04023000".replaceAll(" ", ""), "hex");

test("verifyPeer() goes by the path that it found where the runtime followed another of the same name", () => {
  const trust = { anchors, lists: undefined };
  const objected = (leaf: TestCertificate, authorizationError: string, others: Buffer[] = []) => {
    const presented = {
      certificates: [leaf.der, ...others],
      authorized: false,
      authorizationError,
    };
    return verifyPeer(presented, { current: trust }, NOW).refusal(NOW);
  };
  assert.equal(objected(svid(domain), "CERT_SIGNATURE_FAILURE"), undefined);
  assert.equal(objected(svid(domain), "PERMITTED_VIOLATION"), "untrusted-certificate");
  const constrained = domain.issue({
    name: "Constrained",
    authority: true,
    extensions: [NAME_CONSTRAINTS],
  });
  const below = svid(constrained);
  assert.equal(
    objected(below, "CERT_SIGNATURE_FAILURE", [constrained.der]),
    "untrusted-certificate",
    "what only the runtime enforces was not looked at",
  );
  const forged = createRoot("Domain").issue({ name: "svid", uri: ["spiffe://prod.example/a"] });
  assert.equal(objected(forged, "CERT_SIGNATURE_FAILURE"), "untrusted-certificate");
});

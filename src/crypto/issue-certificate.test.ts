import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import * as fc from "fast-check";
import { SallyportError } from "../model/errors.ts";
import { parseCertificate } from "./certificate.ts";
import {
  type CertificateContent,
  type CertificateIssuer,
  issueCertificate,
  JWS_SIGNING,
  pemText,
} from "./issue-certificate.ts";
import { signedBy } from "./x509-signature.ts";

const NOW = Date.now();
const HOUR = 3_600_000;

function pair(kind: "P-256" | "P-384" | "P-521" | "ed25519" | "rsa") {
  if (kind === "ed25519") return generateKeyPairSync("ed25519");
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  return generateKeyPairSync("ec", { namedCurve: kind });
}

function root(kind: "P-256" | "ed25519" = "P-256") {
  const { privateKey, publicKey } = pair(kind);
  const issuer: CertificateIssuer = { commonName: "Test root 1", privateKey };
  const certificate = issueCertificate(
    {
      commonName: issuer.commonName,
      publicKey,
      notBeforeMs: NOW - HOUR,
      notAfterMs: NOW + 100 * HOUR,
      authority: { pathLength: 0 },
    },
    issuer,
  );
  return { issuer, certificate };
}

function leaf(
  publicKey: KeyObject,
  overrides: Partial<CertificateContent> = {},
): CertificateContent {
  return {
    commonName: "edge-1",
    publicKey,
    notBeforeMs: NOW - HOUR,
    notAfterMs: NOW + HOUR,
    usages: ["client", "server"],
    dnsNames: ["edge-1.internal", "localhost"],
    ipAddresses: ["127.0.0.1", "::1", "2001:db8::8:800:200c:417a"],
    uris: ["spiffe://example.org/edge/1"],
    ...overrides,
  };
}

test("issueCertificate() is read back by our own reader, and its signature verifies", () => {
  for (const kind of ["P-256", "ed25519"] as const) {
    const { issuer, certificate } = root(kind);
    const made = issueCertificate(leaf(pair("P-256").publicKey), issuer);
    const authority = parseCertificate(certificate.der);
    const read = parseCertificate(made.der);
    assert.equal(signedBy(read.signed, authority.key), true);
    assert.equal(signedBy(authority.signed, authority.key), true);
    assert.equal(read.serial, made.serial);
    assert.equal(read.subject, "CN=edge-1");
    assert.deepEqual(read.issuerDer, authority.subjectDer);
    assert.equal(read.notAfter, Math.floor((NOW + HOUR) / 1000) * 1000);
    assert.deepEqual(read.extensions, {
      authority: false,
      pathLength: undefined,
      signsHandshakes: true,
      signsCertificates: false,
      signsLists: false,
      usages: ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"],
      dnsNames: ["edge-1.internal", "localhost"],
      uris: ["spiffe://example.org/edge/1"],
      emails: [],
      addresses: ["127.0.0.1", "0:0:0:0:0:0:0:1", "2001:db8:0:0:8:800:200c:417a"],
      asksMore: false,
    });
    const { extensions } = authority;
    assert.deepEqual(
      [
        extensions.authority,
        extensions.pathLength,
        extensions.signsCertificates,
        extensions.usages,
      ],
      [true, 0, true, undefined],
    );
  }
});

test("issueCertificate() is read by the runtime's own reader", () => {
  const { issuer, certificate } = root();
  const made = issueCertificate(leaf(pair("ed25519").publicKey), issuer);
  const read = new X509Certificate(made.pem);
  const authority = new X509Certificate(certificate.der);
  assert.equal(read.verify(authority.publicKey), true);
  assert.equal(read.checkIssued(authority), true);
  assert.equal(authority.ca, true);
  assert.equal(read.ca, false);
  assert.equal(read.serialNumber.toLowerCase(), made.serial);
  assert.equal(read.checkHost("edge-1.internal"), "edge-1.internal");
  assert.equal(read.checkHost("other.internal"), undefined);
  assert.equal(read.checkIP("127.0.0.1"), "127.0.0.1");
});

test("issueCertificate() never gives two certificates one serial, and none that is negative", () => {
  const { issuer } = root();
  const key = pair("P-256").publicKey;
  const serials = Array.from({ length: 200 }, () => issueCertificate(leaf(key), issuer).serial);
  assert.equal(new Set(serials).size, 200);
  for (const serial of serials) assert.match(serial, /^[4-7][0-9a-f]{31}$/);
});

test("issueCertificate() certifies the feed's key for JWS and for no end of TLS", () => {
  const { issuer } = root();
  const made = issueCertificate(leaf(pair("ed25519").publicKey, { usages: ["feed"] }), issuer);
  assert.deepEqual(parseCertificate(made.der).extensions.usages, [JWS_SIGNING]);
});

const openssl = spawnSync("openssl", ["version"]).status === 0;

test("issueCertificate() passes openssl verify, strictly", { skip: !openssl }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-issue-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const ca of ["P-256", "ed25519"] as const) {
    const { issuer, certificate } = root(ca);
    writeFileSync(join(folder, "root.pem"), certificate.pem);
    for (const kind of ["P-256", "P-384", "ed25519", "rsa"] as const) {
      writeFileSync(
        join(folder, "leaf.pem"),
        issueCertificate(leaf(pair(kind).publicKey), issuer).pem,
      );
      for (const purpose of ["sslclient", "sslserver"]) {
        const { status, stdout, stderr } = spawnSync(
          "openssl",
          ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem", "leaf.pem"],
          { cwd: folder, encoding: "utf8" },
        );
        assert.equal(status, 0, `${ca} ${kind} ${purpose}: ${stdout}${stderr}`);
      }
    }
  }
});

test("issueCertificate() makes certificates that both ends of TLS take", async (t) => {
  const { issuer, certificate } = root();
  const [server, client] = [pair("P-256"), pair("P-256")];
  const keyPem = ({ privateKey }: { privateKey: KeyObject }): string =>
    privateKey.export({ type: "pkcs8", format: "pem" });
  const listener = createServer({
    key: keyPem(server),
    cert: issueCertificate(leaf(server.publicKey, { usages: ["server"] }), issuer).pem,
    ca: certificate.pem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  t.after(() => listener.close());
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "secureConnection") as Promise<[TLSSocket]>;
  const caller = connect({
    port,
    host: "127.0.0.1",
    servername: "edge-1.internal",
    key: keyPem(client),
    cert: issueCertificate(
      leaf(client.publicKey, { usages: ["client"], commonName: "caller" }),
      issuer,
    ).pem,
    ca: certificate.pem,
  });
  await once(caller, "secureConnect");
  assert.equal(caller.authorized, true);
  const [socket] = await accepted;
  assert.equal(socket.authorized, true);
  assert.equal(socket.getPeerCertificate().subject.CN, "caller");
  caller.destroy();
  socket.destroy();
});

test("issueCertificate() refuses names that could be read as others", () => {
  const { issuer } = root();
  const key = pair("P-256").publicKey;
  const refused: readonly Partial<CertificateContent>[] = [
    { commonName: "" },
    { commonName: "a\0b" },
    { commonName: "a\nb" },
    { commonName: "a\u202eb" },
    { commonName: "x".repeat(65) },
    { dnsNames: ["*.internal"] },
    { dnsNames: ["a\0.internal"] },
    { dnsNames: ["a..b"] },
    { dnsNames: ["-a"] },
    { dnsNames: [""] },
    { dnsNames: ["a."] },
    { dnsNames: ["grün.example"] },
    { dnsNames: ["127.0.0.1"] },
    { dnsNames: ["a".repeat(64)] },
    { ipAddresses: ["fe80::1%eth0"] },
    { ipAddresses: ["localhost"] },
    { ipAddresses: ["1.2.3"] },
    { uris: ["no scheme"] },
    { uris: ["/path"] },
    { uris: ["spiffe://example.org/ä"] },
    { uris: ["spiffe://example.org/\0"] },
    { dnsNames: Array.from({ length: 101 }, (_, index) => `h${index}`) },
  ];
  for (const overrides of refused) {
    assert.throws(
      () => issueCertificate(leaf(key, overrides), issuer),
      (error: unknown) => error instanceof SallyportError && error.code === "certificate-invalid",
      JSON.stringify(overrides),
    );
  }
});

test("issueCertificate() refuses keys that are weak, private or of a kind that few take, and validities that never begin", () => {
  const { issuer } = root();
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  const good = pair("P-256");
  for (const publicKey of [weak, pair("P-521").publicKey, good.privateKey]) {
    assert.throws(() => issueCertificate(leaf(publicKey), issuer), /a certified key|only a public/);
  }
  const never = leaf(good.publicKey, { notBeforeMs: NOW, notAfterMs: NOW });
  assert.throws(() => issueCertificate(never, issuer), /never begins/);
  const bigCa = { commonName: "x", privateKey: pair("rsa").privateKey };
  assert.throws(() => issueCertificate(leaf(good.publicKey), bigCa), /signs with P-256 or Ed25519/);
});

test("issueCertificate() writes any DNS names that are ones, as they are read", () => {
  const { issuer } = root();
  const key = createPublicKey(pair("P-256").privateKey);
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/);
  const dns = fc
    .array(label, { minLength: 2, maxLength: 4 })
    .map((labels) => `h${labels.join(".")}`);
  fc.assert(
    fc.property(fc.array(dns, { maxLength: 5 }), (dnsNames) => {
      const made = issueCertificate(leaf(key, { dnsNames }), issuer);
      assert.deepEqual(parseCertificate(made.der).extensions.dnsNames, dnsNames);
    }),
    { numRuns: 50 },
  );
});

test("pemText() divides lines as RFC 7468 does", () => {
  const text = pemText("CERTIFICATE", Buffer.alloc(100, 1));
  const lines = text.split("\n");
  assert.equal(lines[0], "-----BEGIN CERTIFICATE-----");
  assert.equal(lines[1]?.length, 64);
  assert.equal(text.at(-1), "\n");
});

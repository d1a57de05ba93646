import { strict as assert } from "node:assert";
import test from "node:test";
import { createRoot } from "../../test/certificates.ts";
import { readPair, readTrust } from "./tls-material.ts";

const root = createRoot("root");
const server = root.issue({ name: "server", dns: ["a.test"] });
const FILES: Readonly<Record<string, string>> = {
  "a.pem": server.chainPem,
  "a.key": server.keyPem,
  "other.key": root.keyPem,
  "locked.key":
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
  "root.pem": root.pem,
  "root.crl": root.crl(),
  "cut.pem": server.chainPem.replace(/\n.{64}\n/, "\n"),
  "large.pem": "x".repeat(5 * 1024 * 1024),
};

function read(file: string): Uint8Array {
  const text = FILES[file];
  if (text === undefined) throw Object.assign(new Error("canary"), { code: "ENOENT" });
  return Buffer.from(text);
}

test("readPair() gives the certificate, its chain and its key", () => {
  const pair = readPair({ certificate: "a.pem", key: "a.key" }, read);
  assert.deepEqual(pair.leaf.extensions.dnsNames, ["a.test"]);
});

test("readPair() and readTrust() say which file is wrong, and nothing of what is in it", () => {
  const pairs: [certificate: string, key: string, message: RegExp][] = [
    ["absent.pem", "a.key", /^absent\.pem: it cannot be read \(ENOENT\)$/],
    ["a.key", "a.key", /^a\.key: it holds no certificate in PEM but private key$/],
    ["cut.pem", "a.key", /^cut\.pem: /],
    ["large.pem", "a.key", /^large\.pem: it is larger than/],
    ["a.pem", "other.key", /^other\.key: it is not the key of the certificate in a\.pem$/],
    ["a.pem", "a.pem", /^a\.pem: it holds no private key in PEM/],
    ["a.pem", "locked.key", /^locked\.key: the key has a passphrase/],
    ["root.pem", "other.key", /^root\.pem: its key usage has no digitalSignature/],
  ];
  for (const [certificate, key, message] of pairs) {
    assert.throws(() => readPair({ certificate, key }, read), {
      code: "certificate-invalid",
      message,
    });
  }
  assert.throws(
    () => readTrust({ ca: "a.pem" }, read),
    /^.*a\.pem: the certificate of CN=server is not/,
  );
  assert.throws(
    () => readTrust({ ca: "root.pem", crl: "root.pem" }, read),
    /root\.pem: it holds no rev/,
  );
  assert.equal(readTrust({ ca: "root.pem", crl: "root.crl" }, read).lists?.length, 1);
});

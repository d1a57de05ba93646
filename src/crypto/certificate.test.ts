import { strict as assert } from "node:assert";
import { X509Certificate } from "node:crypto";
import test from "node:test";
import * as fc from "fast-check";
import { createRoot, der, OID, sequence } from "../../test/certificates.ts";
import { allowsUsage, CLIENT_AUTH, parseCertificate, SERVER_AUTH } from "./certificate.ts";
import { nameText } from "./x509-name.ts";

const root = createRoot("root");

test("parseCertificate() reads what node:crypto reads", () => {
  const made = root.issue({
    name: "server",
    dns: ["A.test", "*.b.test"],
    ip: ["192.0.2.7"],
    uri: ["spiffe://td/one"],
    notAfter: new Date(Date.UTC(2051, 1, 3)),
  });
  const own = parseCertificate(made.der);
  const theirs = new X509Certificate(made.der);
  assert.equal(own.serial, theirs.serialNumber.toLowerCase());
  assert.equal(own.subject, theirs.subject);
  assert.equal(own.issuer, theirs.issuer);
  assert.equal(own.notBefore, Date.parse(theirs.validFrom));
  assert.equal(own.notAfter, Date.parse(theirs.validTo));
  assert.equal(own.thumbprint, made.thumbprint);
  assert.deepEqual(own.extensions.dnsNames, ["a.test", "*.b.test"]);
  assert.deepEqual(own.extensions.addresses, ["192.0.2.7"]);
  assert.deepEqual(own.extensions.uris, ["spiffe://td/one"]);
  assert.equal(own.extensions.authority, false);
  assert.equal(own.extensions.signsCertificates, false);
  assert.ok(allowsUsage(own, CLIENT_AUTH) && allowsUsage(own, SERVER_AUTH));
  const authority = parseCertificate(root.der).extensions;
  assert.deepEqual(
    [authority.authority, authority.signsLists, authority.usages],
    [true, true, undefined],
  );
  const one = parseCertificate(root.issue({ name: "x", usages: [OID.serverAuth] }).der);
  assert.equal(allowsUsage(one, CLIENT_AUTH), false);
});

test("parseCertificate() refuses names that are meant to be read wrongly", () => {
  for (const name of ["a.test\0.evil.test", "a\n.test"]) {
    const made = root.issue({ name: "x", dns: [name] });
    assert.throws(() => parseCertificate(made.der), { code: "certificate-invalid" });
  }
});

test("parseCertificate() refuses what is cut short, and what has bytes left over", () => {
  const { der: whole } = root.issue({ name: "x", dns: ["x.test"] });
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => parseCertificate(whole.subarray(0, length)), {
      code: "certificate-invalid",
    });
  }
  assert.throws(() => parseCertificate(Buffer.concat([whole, Buffer.from([0])])), {
    code: "certificate-invalid",
  });
});

test("parseCertificate() either reads or refuses, whatever byte is changed", () => {
  const { der: whole } = root.issue({ name: "x", dns: ["x.test"], uri: ["spiffe://a/b"] });
  const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = Buffer.from(whole);
      for (const { at, to } of changes) bytes[at] = to;
      try {
        parseCertificate(bytes);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "certificate-invalid", String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("nameText() escapes what would read as another part, or break a line", () => {
  const part = (text: string): Buffer =>
    der(0x31, sequence(der(0x06, Buffer.from("550403", "hex")), der(0x0c, Buffer.from(text))));
  const bytes = sequence(part("root,O=evil"), part("a\r\nb"), part(" x "));
  const element = { tag: 0x30, bytes, content: bytes.subarray(2) };
  assert.equal(nameText(element), "CN=\\ x\\ ,CN=a\\0d\\0ab,CN=root\\,O\\=evil");
});

import { strict as assert } from "node:assert";
import test from "node:test";
import {
  createRoot,
  der as element,
  extension,
  oid,
  sequence,
  type TestCertificate,
} from "../../test/certificates.ts";
import { type Certificate, CLIENT_AUTH, parseCertificate, SERVER_AUTH } from "./certificate.ts";
import { checkStanding, findChain, isChainFault, type Trust } from "./certificate-chain.ts";
import { parseRevocationList, readRevocationLists } from "./revocation-list.ts";

const NOW = Date.UTC(2026, 5, 1);
const read = ({ der }: TestCertificate): Certificate => parseCertificate(der);

const root = createRoot("root");
const between = root.issue({ name: "between", authority: true });

test("findChain() finds the way over what the peer sent, in any order", () => {
  const third = between.issue({ name: "third", authority: true });
  const leaf = third.issue({ name: "leaf" });
  const found = chain(leaf, [between, root, third]);
  assert.deepEqual(found, ["CN=leaf", "CN=third", "CN=between", "CN=root"]);
});

test("findChain() refuses what no trusted authority stands behind", () => {
  const leaf = between.issue({ name: "leaf" });
  const cases: [why: string, leaf: TestCertificate, presented: TestCertificate[]][] = [
    ["the certificate between is missing", leaf, []],
    ["another root of the same name", createRoot("root").issue({ name: "leaf" }), []],
    ["a leaf that signs", leaf.issue({ name: "under" }), [leaf, between]],
    [
      "a path longer than its authority allows",
      root
        .issue({ name: "a", authority: true, pathLength: 0 })
        .issue({ name: "b", authority: true })
        .issue({ name: "leaf" }),
      [],
    ],
    ["a usage that it is not for", root.issue({ name: "leaf", usages: [SERVER_AUTH] }), []],
  ];
  for (const [why, one, presented] of cases) {
    const sent = [...presented, ...chainOf(one)];
    const found = chain(one, why === "the certificate between is missing" ? [] : sent);
    assert.equal(found, "untrusted-certificate", why);
  }
});

test("findChain() gives up on many certificates that all seem to fit", () => {
  const leaf = createRoot("x").issue({ name: "leaf" });
  const fakes = Array.from({ length: 40 }, () => createRoot("x"));
  assert.equal(chain(leaf, fakes), "untrusted-certificate");
});

test("checkStanding() says until when the whole chain holds", () => {
  const authority = root.issue({
    name: "short",
    authority: true,
    notAfter: new Date(NOW + 60_000),
  });
  const leaf = authority.issue({ name: "leaf", notBefore: new Date(NOW - 5000) });
  const certificates = [read(leaf), read(authority), read(root)];
  const standing = checkStanding({ certificates }, undefined, NOW);
  assert.deepEqual(standing, { from: NOW - 5000, until: NOW + 61_000 });
  assert.equal(
    reasonOf(checkStanding({ certificates }, undefined, NOW + 61_000)),
    "certificate-expired",
  );
  assert.equal(
    reasonOf(checkStanding({ certificates }, undefined, NOW - 5001)),
    "certificate-expired",
  );
});

test("checkStanding() asks the list of each authority on the way", () => {
  const leaf = between.issue({ name: "leaf" });
  const certificates = [read(leaf), read(between), read(root)];
  const judge = (...ders: Buffer[]): string | undefined =>
    reasonOf(checkStanding({ certificates }, ders.map(parseRevocationList), NOW));
  const [rootList, betweenList] = [root.crlDer(), between.crlDer()];
  assert.equal(judge(rootList, betweenList), undefined);
  assert.equal(judge(rootList), "revocation-unknown");
  assert.equal(judge(betweenList), "revocation-unknown");
  assert.equal(judge(rootList, between.crlDer({ revoked: [leaf] })), "certificate-revoked");
  assert.equal(judge(root.crlDer({ revoked: [between] }), betweenList), "certificate-revoked");
  const other = between.issue({ name: "other" });
  assert.equal(judge(rootList, between.crlDer({ revoked: [other] })), undefined);
});

test("checkStanding() takes no list by somebody else, and none that is out of date", () => {
  const leaf = root.issue({ name: "leaf" });
  const certificates = [read(leaf), read(root)];
  const judge = (...ders: Buffer[]): string | undefined =>
    reasonOf(checkStanding({ certificates }, ders.map(parseRevocationList), NOW));
  assert.equal(judge(createRoot("root").crlDer()), "revocation-unknown");
  assert.equal(judge(root.crlDer({ nextUpdate: new Date(NOW) })), "revocation-unknown");
  assert.equal(judge(root.crlDer({ thisUpdate: new Date(NOW + 1000) })), "revocation-unknown");
  // A forged list of an old root must not revive or kill.
  assert.equal(judge(root.crlDer(), createRoot("root").crlDer({ revoked: [leaf] })), undefined);
  const old = root.crlDer({ revoked: [leaf], nextUpdate: new Date(NOW - 1) });
  assert.equal(judge(old, root.crlDer()), "certificate-revoked");
});

test("parseRevocationList() refuses lists that it would read wrongly", () => {
  assert.throws(() => parseRevocationList(root.crlDer({ nextUpdate: null })), /without nextUpdate/);
  const partial = extension("2.5.29.28", true, Buffer.from("3000", "hex"));
  assert.throws(() => parseRevocationList(root.crlDer({ extensions: [partial] })), /critical/);
  const delta = extension("2.5.29.27", true, Buffer.from("020101", "hex"));
  // TRUE in BER: critical to everybody else.
  const flag = element(0x01, Buffer.from([1]));
  const loose = sequence(oid("2.5.29.28"), flag, element(0x04));
  assert.throws(() => parseRevocationList(root.crlDer({ extensions: [loose] })), /BOOLEAN/);
  assert.throws(() => parseRevocationList(root.crlDer({ extensions: [delta] })), /critical/);
  const der = root.crlDer();
  for (let length = 0; length < der.length; length += 1) {
    assert.throws(() => parseRevocationList(der.subarray(0, length)), {
      code: "certificate-invalid",
    });
  }
});

test("readRevocationLists() reads DER, PEM, and several in one file", () => {
  const leaf = root.issue({ name: "leaf" });
  assert.equal(readRevocationLists(root.crlDer()).length, 1);
  const both = readRevocationLists(Buffer.from(root.crl({ revoked: [leaf] }) + between.crl()));
  assert.deepEqual(
    both.map(({ issuer }) => issuer),
    ["CN=root", "CN=between"],
  );
  assert.deepEqual([...(both[0]?.revoked ?? [])], [leaf.serial.toString("hex")]);
  assert.throws(() => readRevocationLists(Buffer.from("nothing")), { code: "certificate-invalid" });
});

function chain(leaf: TestCertificate, presented: readonly TestCertificate[]): string[] | string {
  const trust: Trust = { anchors: [read(root)], lists: undefined };
  const found = findChain(read(leaf), {
    presented: presented.map(read),
    trust,
    usage: CLIENT_AUTH,
  });
  return isChainFault(found) ? found.reason : found.certificates.map(({ subject }) => subject);
}

function chainOf({ issuer }: TestCertificate): TestCertificate[] {
  return issuer === undefined ? [] : [issuer, ...chainOf(issuer)];
}

function reasonOf(result: ReturnType<typeof checkStanding>): string | undefined {
  return isChainFault(result) ? result.reason : undefined;
}

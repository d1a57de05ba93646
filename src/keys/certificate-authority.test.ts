import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  authority,
  type Authority,
  DAY,
  ground,
  type Ground,
  HOUR,
  MINUTE,
  testSealer,
} from "../../test/keys/kit.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { pemBlocks } from "../crypto/pem.ts";
import { signedBy } from "../crypto/x509-signature.ts";
import { SallyportError } from "../model/errors.ts";
import type { CertificateAuthority, CertificateOrder } from "./certificate-authority.ts";

const machine = generateKeyPairSync("ec", { namedCurve: "P-256" });

function order(given: Partial<CertificateOrder> = {}): CertificateOrder {
  return {
    publicKey: machine.publicKey,
    commonName: "edge-1",
    uris: ["spiffe://example.org/edge-1"],
    dnsNames: [],
    ipAddresses: [],
    usages: ["client"],
    lifetimeMs: DAY,
    ...given,
  };
}

async function started(
  on: Ground,
  given: Parameters<typeof authority>[1] = {},
): Promise<Authority> {
  const made = authority(on, given);
  await made.ca.start();
  return made;
}

/** Whether somebody who trusts these roots takes the certificate at that time. */
function trusted(der: Buffer, roots: readonly string[], nowMs: number): boolean {
  const leaf = parseCertificate(der);
  return roots
    .flatMap((pem) => pemBlocks(pem, "CERTIFICATE").map(parseCertificate))
    .some(
      (root) =>
        root.subjectDer.equals(leaf.issuerDer) &&
        signedBy(leaf.signed, root.key) &&
        [root, leaf].every(({ notBefore, notAfter }) => notBefore <= nowMs && nowMs <= notAfter),
    );
}

/** In steps of half a day, with what is due done after each. */
async function pass(on: Ground, ms: number, all: readonly Authority[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += DAY / 2) {
    on.clock.advance(Math.min(DAY / 2, ms - passed));
    for (const one of all) await one.settle();
  }
}

const activeOf = (ca: CertificateAuthority) => ca.list().find(({ state }) => state === "active");

test("start() makes one root, the same for all replicas, and again for those that come later", async () => {
  const on = ground();
  const all = Array.from({ length: 4 }, () => authority(on));
  await Promise.all(all.map(({ ca }) => ca.start()));
  const [first] = all;
  assert.equal(first?.ca.roots().length, 1);
  const later = await started(on);
  for (const { ca } of [...all, later]) assert.deepEqual(ca.roots(), first?.ca.roots());
  const root = new X509Certificate(first?.ca.roots()[0] ?? "");
  assert.equal(root.ca, true);
  assert.equal(root.verify(root.publicKey), true);
});

test("issue() gives a certificate that its roots vouch for, as ordered", async () => {
  const on = ground();
  const { ca } = await started(on);
  const made = ca.issue(order({ usages: ["client", "server"], dnsNames: ["edge.internal"] }));
  assert.ok(trusted(made.der, ca.roots(), on.clock.now()));
  const read = parseCertificate(made.der);
  assert.equal(read.notAfter, made.notAfterMs);
  assert.equal(made.notAfterMs, on.clock.now() + DAY);
  // A machine whose clock is a minute behind takes it.
  assert.equal(read.notBefore, on.clock.now() - MINUTE);
  assert.equal(read.serial, made.serial);
  assert.deepEqual(read.extensions.uris, ["spiffe://example.org/edge-1"]);
  assert.equal(read.extensions.authority, false);
});

test("issue() refuses lives out of bounds, no usage, and to sign without a root", async () => {
  const on = ground();
  const { ca } = await started(on);
  for (const lifetimeMs of [0, 4 * MINUTE, 31 * DAY, Number.NaN, Infinity]) {
    assert.throws(() => ca.issue(order({ lifetimeMs })), RangeError);
  }
  assert.throws(() => ca.issue(order({ usages: [] })), TypeError);
  assert.throws(
    () => authority(on).ca.issue(order()),
    (error: unknown) => error instanceof SallyportError && error.code === "signing-unavailable",
  );
});

test("roots follow each other for years: each is known a month before it signs, and trusted until its last certificate is over", async () => {
  const on = ground();
  const one = await started(on);
  const { ca } = one;
  /** What machines hold: certificates with the roots that they knew a month before. */
  const held: { readonly der: Buffer; readonly notAfterMs: number }[] = [];
  const knownAt: { readonly atMs: number; readonly roots: readonly string[] }[] = [];
  const issuers = new Set<string>();
  for (let day = 0; day < 1000; day++) {
    await pass(on, DAY, [one]);
    const nowMs = on.clock.now();
    knownAt.push({ atMs: nowMs, roots: ca.roots() });
    const made = ca.issue(order({ lifetimeMs: 30 * DAY }));
    issuers.add(parseCertificate(made.der).issuer);
    held.push(made);
    // Whoever knows the roots of up to 29 days ago takes what is issued today.
    const before = knownAt.at(-30);
    if (before !== undefined) assert.ok(trusted(made.der, before.roots, nowMs), `day ${day}`);
    // And what was issued before is taken with the roots of today until it ends.
    for (const old of [held.at(-29), held.at(-15)]) {
      if (old !== undefined) assert.ok(trusted(old.der, ca.roots(), nowMs), `day ${day}`);
    }
    assert.ok(made.notAfterMs <= (activeOf(ca)?.removedMs ?? 0));
    assert.ok(ca.roots().length <= 3);
  }
  assert.equal(issuers.size, 3);
});

test("a root that cannot be followed is used for three months more, and then no longer", async () => {
  const on = ground();
  const one = await started(on);
  on.store.away = true;
  await pass(on, 454 * DAY, [one]);
  const made = one.ca.issue(order({ lifetimeMs: 30 * DAY }));
  assert.ok(trusted(made.der, one.ca.roots(), made.notAfterMs));
  await pass(on, 2 * DAY, [one]);
  assert.throws(() => one.ca.issue(order()), /no root/);
});

test("rotate() publishes another root, which signs in a month", async () => {
  const on = ground();
  const one = await started(on);
  const [first] = one.ca.roots();
  await one.ca.rotate({ emergency: false, by: "admin/ann" });
  assert.equal(one.ca.roots().length, 2);
  assert.equal(activeOf(one.ca)?.pem, first);
  await pass(on, 30 * DAY, [one]);
  assert.equal(activeOf(one.ca)?.pem, one.ca.roots()[1]);
  assert.equal(activeOf(one.ca)?.by, "admin/ann");
});

test("rotate() in an emergency leaves only the new root trusted, on every replica, once", async () => {
  const on = ground();
  const [one, two] = [await started(on), await started(on)];
  const before = one.ca.issue(order());
  await Promise.all([one, two].map(({ ca }) => ca.rotate({ emergency: true, by: "ann" })));
  await turn();
  assert.deepEqual(one.ca.roots(), two.ca.roots());
  assert.equal(one.ca.roots().length, 1);
  assert.equal(trusted(before.der, two.ca.roots(), on.clock.now()), false);
  assert.ok(trusted(two.ca.issue(order()).der, one.ca.roots(), on.clock.now()));
  assert.equal(await on.store.get("certificate-authorities", "root.000003"), undefined);
});

test("nothing private of a root is in the store, the listing or the log, and a foreign root is not taken", async () => {
  const on = ground();
  const one = await started(on);
  const other = await started(ground());
  const [root] = await on.store.list("certificate-authorities", { limit: 10 });
  assert.deepEqual(Object.keys(root?.body ?? {}), ["sealed"]);
  assert.ok(!JSON.stringify([one.ca.list(), one.log.lines]).includes("PRIVATE"));
  const known = one.ca.roots();
  const sealed = testSealer(9).seal(
    Buffer.from("{}"),
    "certificate-authorities/root.000002/sealed",
  );
  await on.store.commit([
    { collection: "certificate-authorities", id: "root.000002", body: { sealed } },
  ]);
  await turn();
  assert.deepEqual(one.ca.roots(), known);
  assert.notDeepEqual(other.ca.roots(), known);
  // What nobody can read goes with the former roots in an emergency, and not before.
  await assert.rejects(one.ca.rotate({ emergency: false }));
  await one.ca.rotate({ emergency: true });
  const left = await on.store.list("certificate-authorities", { limit: 10 });
  assert.deepEqual(
    left.map(({ id }) => id),
    ["root.000003"],
  );
});

test("changed() is called when the roots change", async () => {
  const on = ground();
  const one = await started(on);
  let calls = 0;
  one.ca.changed(() => (calls += 1));
  await pass(on, HOUR, [one]);
  assert.equal(calls, 0);
  const two = await started(on);
  await two.ca.rotate({ emergency: false });
  await turn();
  assert.equal(calls, 1);
  await Promise.all([one.ca.close(), two.ca.close()]);
  assert.deepEqual(one.timers.delays, []);
});

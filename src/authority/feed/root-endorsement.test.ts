import assert from "node:assert/strict";
import { test } from "node:test";
import { T0, TestAuthority } from "../../../test/authority/feed-kit.ts";
import { ManualClock } from "../../platform/clock.ts";
import { feedUris } from "./feed-certificate.ts";
import { endorseRoots, readRootList, unprovenRoots } from "./root-endorsement.ts";

const clock = new ManualClock(T0);
const old = new TestAuthority(clock, "old");
const next = new TestAuthority(clock, "next");
const both = [old.certificate, next.certificate];

/** Of the roots `old` and `next`, as `ca` vouches for them. */
function endorsed(ca: TestAuthority): string[] {
  return endorseRoots({ issue: (order) => ca.issue(order), roots: () => [old.pem, next.pem] });
}

test("endorseRoots() makes nothing while there is one root", () => {
  assert.deepEqual(endorseRoots(old), []);
});

test("unprovenRoots() is empty where a root that is known vouches for the new one", () => {
  const by = { endorsements: endorsed(old), nowMs: T0 };
  assert.deepEqual(unprovenRoots(both, [old.certificate], by), []);
  assert.deepEqual(unprovenRoots(both, both, { endorsements: [], nowMs: T0 }), []);
});

test("unprovenRoots() names a root that nobody known vouches for", () => {
  const unproven = (endorsements: string[], nowMs = T0): string[] =>
    unprovenRoots(both, [old.certificate], { endorsements, nowMs }).map(({ subject }) => subject);
  assert.deepEqual(unproven([]), ["CN=next"]);
  // By itself, out of its time, unreadable.
  assert.deepEqual(unproven(endorsed(next)), ["CN=next"]);
  assert.deepEqual(unproven(endorsed(old), T0 + 13 * 3600_000), ["CN=next"]);
  assert.deepEqual(unproven(["AAAA", ""]), ["CN=next"]);
});

test("unprovenRoots() takes no other certificate of a known root for an endorsement", () => {
  const order = {
    commonName: "x",
    publicKey: next.certificate.key,
    dnsNames: [],
    ipAddresses: [],
    lifetimeMs: 3600_000,
  };
  const uri = `sallyport:root:${next.certificate.thumbprint}`;
  const [feed, client, server] = ["feed", "client", "server"] as const;
  for (const [what, uris, usages, publicKey] of [
    ["for TLS", [uri], [client, server], order.publicKey],
    ["of a key of the feed", feedUris(5), [feed], order.publicKey],
    ["that names more", [uri, "sallyport:feed"], [feed], order.publicKey],
    ["for another key", [uri], [feed], old.certificate.key],
  ] as const) {
    const { der } = old.issue({ ...order, publicKey, uris, usages });
    const by = { endorsements: [der.toString("base64")], nowMs: T0 };
    assert.equal(unprovenRoots(both, [old.certificate], by).length, 1, what);
  }
  assert.equal(readRootList([old.pem, next.pem]).length, 2);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as check, constantFrom, property, string } from "fast-check";
import {
  authoritySchema,
  isFollower,
  isKeeper,
  matchesName,
  servicesOf,
} from "./authority-options.ts";

const KEEPER = {
  issuer: "https://sallyport.example.com",
  store: "sqlite:data/sallyport.db",
  keyEncryptionKey: { file: "secrets/kek" },
};
const FOLLOWER = { feed: ["https://authority.internal:9443"], identity: "data/identity" };

test("authoritySchema tells the two shapes apart and fills in what was left out", () => {
  const keeper = authoritySchema.parse(KEEPER);
  assert.ok(isKeeper(keeper) && !isFollower(keeper));
  assert.deepEqual(keeper, {
    ...KEEPER,
    keyEncryptionKey: { file: "secrets/kek", previous: [] },
    algorithm: "EdDSA",
    lifetime: 300_000,
    rotate: 86_400_000,
    maxStaleness: 10_000,
  });
  const follower = authoritySchema.parse(FOLLOWER);
  assert.ok(isFollower(follower) && !isKeeper(follower));
  assert.deepEqual(follower, { ...FOLLOWER, maxStaleness: 10_000 });
});

for (const [what, wrong] of [
  ["both shapes at once", { ...KEEPER, ...FOLLOWER }],
  ["an unknown key", { ...KEEPER, isuer: "https://x.example" }],
  ["an issuer over plain http elsewhere", { ...KEEPER, issuer: "http://sallyport.example.com" }],
  ["an issuer with a query", { ...KEEPER, issuer: "https://sallyport.example.com?x" }],
  ["a store of another kind", { ...KEEPER, store: "mysql://localhost/x" }],
  ["a store without a path", { ...KEEPER, store: "sqlite:" }],
  ["two sources of a key", { ...KEEPER, keyEncryptionKey: { file: "a", env: "B" } }],
  ["no source of a key", { ...KEEPER, keyEncryptionKey: {} }],
  ["an empty command", { ...KEEPER, keyEncryptionKey: { command: [] } }],
  ["keys that live longer than they sign", { ...KEEPER, lifetime: "4h", rotate: "3h" }],
  ["a list of no services", { ...KEEPER, proxies: [{ name: "edge", services: [] }] }],
  ["a name that no proxy can have", { ...KEEPER, proxies: [{ name: "Edge" }] }],
  ["no feed", { ...FOLLOWER, feed: [] }],
  ["a feed over plain http", { ...FOLLOWER, feed: ["http://authority.internal"] }],
  ["a feed with a path", { ...FOLLOWER, feed: ["https://authority.internal/feed"] }],
  ["a feed with a password", { ...FOLLOWER, feed: ["https://a:b@authority.internal"] }],
  ["a server without names", { ...FOLLOWER, serve: { address: "127.0.0.1:0", names: [] } }],
  ["a server's name with *", { ...FOLLOWER, serve: { address: "127.0.0.1:0", names: ["*.a"] } }],
] as const) {
  test(`authoritySchema refuses ${what}`, () => {
    assert.equal(authoritySchema.safeParse(wrong).success, false);
  });
}

test("authoritySchema takes names and addresses of servers, and loopback for trying", () => {
  const names = ["authority.internal", "localhost", "10.0.0.1", "::1", "2001:db8::5"];
  const serve = { address: "0.0.0.0:9443", names };
  const issuer = "http://127.0.0.1:8080";
  assert.ok(authoritySchema.safeParse({ ...KEEPER, issuer, serve }).success);
});

test("servicesOf() takes the first entry that matches, and nothing where none does", () => {
  const proxies = [
    { name: "edge-1", services: ["billing"] },
    { name: "edge-*" },
    { name: "*-x", services: ["stock"] },
  ];
  assert.deepEqual(servicesOf(proxies, "edge-1"), ["billing"]);
  assert.equal(servicesOf(proxies, "edge-x"), "all");
  assert.deepEqual(servicesOf(proxies, "inner-x"), ["stock"]);
  assert.equal(servicesOf(proxies, "inner"), undefined);
  assert.equal(servicesOf([], "inner"), undefined);
  assert.equal(servicesOf(undefined, "inner"), "all");
});

test("matchesName() agrees with a regular expression on every pattern", () => {
  const text = string({ unit: constantFrom("a", "b", "-"), maxLength: 8 });
  const pattern = string({ unit: constantFrom("a", "b", "-", "*"), maxLength: 6 });
  check(
    property(pattern, text, (written, name) => {
      const oracle = new RegExp(`^${written.replaceAll("*", ".*")}$`);
      assert.equal(matchesName(written, name), oracle.test(name));
    }),
    { numRuns: 2000 },
  );
});

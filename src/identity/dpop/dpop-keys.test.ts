import assert from "node:assert/strict";
import { test } from "node:test";
import { dpopClient } from "../../../test/identity/dpop-client.ts";
import { createProofKeys } from "./dpop-keys.ts";
import { ProofFault } from "./proof-fault.ts";

const clients = ["one", "two", "three"].map((name) => {
  const client = dpopClient("ES256", `keys-${name}`);
  const [header = ""] = client.proof({ method: "GET", url: "https://x/", token: "t" }).split(".");
  return { header, thumbprint: client.thumbprint };
});
const [one, two, three] = clients;

test("find() imports a key once, and keeps no more of them than it may", () => {
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const keys = createProofKeys(["ES256"], { maxKeys: 2 });
  const first = keys.find(one.header, one.thumbprint);
  assert.ok(!(first instanceof ProofFault));
  assert.equal(keys.find(one.header, one.thumbprint), first, "the same one again");
  keys.find(two.header, two.thumbprint);
  assert.equal(keys.find(one.header, one.thumbprint), first, "there is room for two");
  keys.find(three.header, three.thumbprint);
  assert.equal(keys.size, 2);
  const again = keys.find(one.header, one.thumbprint);
  assert.ok(!(again instanceof ProofFault) && again !== first, "the oldest had to go");
  assert.equal(keys.size, 2);
});

test("find() keeps nothing of what it refuses", () => {
  assert.ok(one !== undefined && two !== undefined);
  const keys = createProofKeys(["ES256"]);
  assert.ok(keys.find(one.header, two.thumbprint) instanceof ProofFault);
  assert.ok(createProofKeys(["EdDSA"]).find(one.header, one.thumbprint) instanceof ProofFault);
  assert.equal(keys.size, 0);
});

test("find() takes another header of a key that it has for that key's place", () => {
  const client = dpopClient("ES256", "keys-one");
  const headerWith = (kid: string): string =>
    client.proof({ method: "GET", url: "https://x/", token: "t", header: { kid } }).split(".")[0] ??
    "";
  assert.ok(two !== undefined);
  const keys = createProofKeys(["ES256"], { maxKeys: 2 });
  const other = keys.find(two.header, two.thumbprint);
  for (const kid of ["a", "b", "c"]) keys.find(headerWith(kid), client.thumbprint);
  assert.equal(keys.size, 2);
  assert.equal(keys.find(two.header, two.thumbprint), other, "nobody else had to go for it");
});

test("find() keeps no key that nothing vouches for", () => {
  assert.ok(one !== undefined);
  const keys = createProofKeys(["ES256"]);
  const found = keys.find(one.header, undefined);
  assert.ok(!(found instanceof ProofFault) && found.key.thumbprint === one.thumbprint);
  assert.equal(keys.size, 0);
});

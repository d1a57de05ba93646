import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { createValueHash } from "./value-hash.ts";

const key = Buffer.alloc(32, 7);

test("createValueHash() gives the HMAC that docs/audit.md describes, remembered or not", () => {
  const hash = createValueHash(key);
  const expected = createHmac("sha256", key).update("header\0x-tenant\0acme").digest("base64url");
  assert.equal(hash("header", "x-tenant", "acme"), expected);
  assert.equal(hash("header", "x-tenant", "acme"), expected);
  const long = "é".repeat(300);
  const expectedLong = createHmac("sha256", key).update(`query\0q\0${long}`).digest("base64url");
  assert.equal(hash("query", "q", long), expectedLong);
});

test("createValueHash() tells places and keys apart", () => {
  const hash = createValueHash(key);
  const hashes = [
    hash("header", "a", "v"),
    hash("query", "a", "v"),
    hash("header", "b", "v"),
    createValueHash(Buffer.alloc(32, 8))("header", "a", "v"),
  ];
  assert.equal(new Set(hashes).size, 4);
});

test("createValueHash() stays right when it forgets", () => {
  const hash = createValueHash(key);
  const first = hash("query", "q", "0");
  for (let index = 0; index < 5000; index++) hash("query", "q", String(index));
  assert.equal(hash("query", "q", "0"), first);
});

test("createValueHash() throws TypeError when the key is not of 32 bytes", () => {
  assert.throws(() => createValueHash(key.subarray(1)), TypeError);
});

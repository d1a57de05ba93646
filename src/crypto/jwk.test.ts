import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { calculateJwkThumbprint, type JWK } from "jose";
import { keySetOf, testKey } from "../../test/issuer.ts";
import { SallyportError } from "../model/errors.ts";
import { parseJson } from "../model/json.ts";
import { readKeySet } from "./jwk.ts";

const rsa = testKey("r", "RS256").jwk;
const ec = testKey("e", "ES256").jwk;
const ed = testKey("d", "EdDSA").jwk;

function read(...keys: readonly object[]) {
  return readKeySet(parseJson(JSON.stringify({ keys })));
}

test("readKeySet() takes RSA, EC and Ed25519 keys for their algorithms", () => {
  const { keys, skipped } = read(without(rsa, "alg"), without(ec, "alg"), without(ed, "alg"));
  assert.deepEqual(skipped, []);
  const algorithms = keys.map((key) => [...key.algorithms].join(" "));
  assert.deepEqual(algorithms, ["RS256 RS384 RS512 PS256 PS384 PS512", "ES256", "Ed25519"]);
});

test("readKeySet() binds a key to the algorithm that it names", () => {
  const [key] = read(rsa).keys;
  assert.deepEqual([...(key?.algorithms ?? [])], ["RS256"]);
});

test("readKeySet() makes the thumbprints of RFC 7638", async () => {
  const { keys } = read(rsa, ec, ed);
  for (const [index, jwk] of [rsa, ec, ed].entries()) {
    assert.equal(keys[index]?.thumbprint, await calculateJwkThumbprint(jwk as JWK));
  }
});

test("readKeySet() refuses a set with a private or symmetric key", async (t) => {
  const { privateKey } = testKey("r", "RS256");
  const cases: readonly [name: string, jwk: object][] = [
    ["private RSA", privateKey.export({ format: "jwk" })],
    ["private EC", testKey("e", "ES256").privateKey.export({ format: "jwk" })],
    ["private Ed25519", testKey("d", "EdDSA").privateKey.export({ format: "jwk" })],
    ["symmetric", { kty: "oct", k: "c2VjcmV0", alg: "HS256" }],
    ["symmetric without its secret", { kty: "oct", kid: "s" }],
    ["symmetric of an unknown type", { kty: "x", k: "c2VjcmV0" }],
    ["only one prime", { ...rsa, p: "AQAB" }],
    ["private for another use", { ...privateKey.export({ format: "jwk" }), use: "enc" }],
  ];
  for (const [name, jwk] of cases) {
    await t.test(name, () => assert.throws(() => read(ec, jwk), refusesPrivate));
  }
});

test("readKeySet() leaves out keys that are not for checking signatures or too weak", async (t) => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  const bytes32 = Buffer.alloc(32, 1).toString("base64url");
  const cases: readonly [name: string, jwk: object, why: RegExp][] = [
    ["use enc", { ...rsa, use: "enc" }, /use/],
    ["key_ops without verify", { ...rsa, key_ops: ["encrypt"] }, /key_ops/],
    ["key_ops that is no list", { ...rsa, key_ops: "verify" }, /key_ops/],
    ["alg none", { ...rsa, alg: "none" }, /alg/],
    ["alg HS256 on an RSA key", { ...rsa, alg: "HS256" }, /alg/],
    ["alg of another type", { ...rsa, alg: "ES256" }, /alg/],
    ["alg of another curve", { ...ec, alg: "ES384" }, /alg/],
    ["alg for encryption", { ...rsa, alg: "RSA-OAEP" }, /alg/],
    ["alg that is no text", { ...rsa, alg: 7 }, /alg/],
    ["unknown type", { kty: "AKP", pub: "AQAB" }, /kty/],
    ["unknown curve", { ...without(ec, "alg"), crv: "secp256k1" }, /crv/],
    ["a key for key agreement", { kty: "OKP", crv: "X25519", x: bytes32 }, /crv/],
    ["1024 bits", weak.export({ format: "jwk" }), /1024/],
    ["exponent 1", { ...rsa, e: "AQ" }, /exponent/],
    ["even exponent", { ...rsa, e: "AQAA" }, /exponent/],
    ["huge exponent", { ...rsa, e: "AQAAAAAB" }, /exponent/],
    ["point off the curve", { ...without(ec, "alg"), x: bytes32, y: bytes32 }, /numbers/],
    ["missing member", without(ec, "y"), /missing/],
    ["padded member", { ...rsa, e: "AQAB=" }, /base64url/],
    ["kid that is no text", { ...rsa, kid: 7 }, /kid/],
  ];
  for (const [name, jwk, why] of cases) {
    await t.test(name, () => {
      const { keys, skipped } = read(ed, jwk);
      assert.equal(keys.length, 1);
      assert.match(skipped.join(), why);
      assert.throws(() => read(jwk), isKeyInvalid, "a set without any usable key");
    });
  }
});

test("readKeySet() refuses what is not a key set", async (t) => {
  const many = Array.from({ length: 101 }, () => ed);
  for (const text of ["null", "[]", "{}", '{"keys":{}}', '{"keys":[]}', '{"keys":[7]}']) {
    await t.test(text, () => assert.throws(() => readKeySet(parseJson(text)), isKeyInvalid));
  }
  await t.test("too many keys", () => assert.throws(() => read(...many), isKeyInvalid));
});

test("readKeySet() reads what a test issuer publishes", () => {
  const set = keySetOf(testKey("r", "RS256"), testKey("e", "ES256"));
  assert.equal(readKeySet(parseJson(JSON.stringify(set))).keys.length, 2);
});

function without(jwk: object, name: string): object {
  return Object.fromEntries(Object.entries(jwk).filter(([key]) => key !== name));
}

function isKeyInvalid(error: unknown): boolean {
  return error instanceof SallyportError && error.code === "key-invalid";
}

function refusesPrivate(error: unknown): boolean {
  return isKeyInvalid(error) && /private or symmetric/.test((error as Error).message);
}

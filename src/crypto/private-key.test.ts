import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { keySetOf } from "../../test/issuer.ts";
import { SallyportError } from "../model/errors.ts";
import { parseJson } from "../model/json.ts";
import { type Algorithm, isAlgorithm } from "./algorithms.ts";
import { readKeySet } from "./jwk.ts";
import { readJws, verifyJws } from "./jws.ts";
import { readPrivateKey } from "./private-key.ts";
import { signJws } from "./sign-jws.ts";

const PAIRS = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ES512: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  EdDSA: generateKeyPairSync("ed25519"),
};

for (const [algorithm, { privateKey, publicKey }] of Object.entries(PAIRS)) {
  for (const type of ["pkcs8", "sec1", "pkcs1"] as const) {
    if ((type === "sec1") !== algorithm.startsWith("ES") && type !== "pkcs8") continue;
    if (type === "pkcs1" && algorithm !== "RS256") continue;
    test(`readPrivateKey() signs with ${algorithm} by a key in ${type}`, () => {
      const pem = privateKey.export({ type: type as "pkcs8", format: "pem" });
      const signer = readPrivateKey(pem, "k1");
      assert.equal(signer.algorithm, algorithm);
      const jws = readJws(signJws(signer, { typ: "JWT" }, { sub: "us" }));
      assert.ok(!("fault" in jws) && isAlgorithm(jws.algorithm));
      assert.equal(jws.kid, "k1");
      const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", alg: algorithm };
      const set = keySetOf({ jwk, kid: "k1", algorithm: algorithm as Algorithm, privateKey });
      const [key] = readKeySet(parseJson(JSON.stringify(set))).keys;
      assert.ok(key !== undefined && verifyJws(jws, jws.algorithm, key));
    });
  }
}

test("readPrivateKey() leaves kid out where there is none", () => {
  const pem = PAIRS.ES256.privateKey.export({ type: "pkcs8", format: "pem" });
  const [header = ""] = signJws(readPrivateKey(pem, undefined), { typ: "JWT" }, {}).split(".");
  assert.deepEqual(JSON.parse(Buffer.from(header, "base64url").toString()), {
    alg: "ES256",
    typ: "JWT",
  });
});

test("readPrivateKey() refuses what cannot sign, and says nothing of it", () => {
  const { privateKey } = PAIRS.ES256;
  const locked = privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  const exchange = generateKeyPairSync("x25519").privateKey;
  const pkcs8 = { type: "pkcs8", format: "pem" } as const;
  const cases: readonly [pem: string, rule: RegExp][] = [
    ["", /no private key in PEM/],
    ["-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n", /no private key in PEM/],
    [PAIRS.ES256.publicKey.export({ type: "spki", format: "pem" }), /no private key in PEM/],
    [locked, /passphrase/],
    [weak.export(pkcs8), /below 2048 bits/],
    [exchange.export(pkcs8), /signs no JWS|no private key in PEM/],
  ];
  for (const [pem, rule] of cases) {
    assert.throws(
      () => readPrivateKey(pem, undefined),
      (error) =>
        error instanceof SallyportError &&
        error.code === "key-invalid" &&
        rule.test(error.message) &&
        !error.message.includes("CANARY") &&
        error.cause === undefined,
    );
  }
});

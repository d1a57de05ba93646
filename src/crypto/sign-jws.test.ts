import assert from "node:assert/strict";
import { test } from "node:test";
import { compactVerify, importJWK, calculateJwkThumbprint } from "jose";
import { SallyportError } from "../model/errors.ts";
import { SIGNING_ALGORITHMS } from "../model/signing.ts";
import { readKeySet } from "./jwk.ts";
import { readJws, verifyJws } from "./jws.ts";
import { signJws } from "./sign-jws.ts";
import { exportSigningKey, generateSigningKey, readSigningKey } from "./signing-key.ts";

for (const algorithm of SIGNING_ALGORITHMS) {
  test(`signJws() with ${algorithm} is verified by jose, and by our own reader`, async () => {
    const key = generateSigningKey(algorithm);
    const token = signJws(key, { typ: "sallyport-test+jws" }, { number: 7, name: "grün" });

    const outside = await compactVerify(token, await importJWK({ ...key.jwk }, algorithm));
    assert.deepEqual(outside.protectedHeader, {
      alg: algorithm,
      kid: key.kid,
      typ: "sallyport-test+jws",
    });
    assert.deepEqual(JSON.parse(Buffer.from(outside.payload).toString()), {
      number: 7,
      name: "grün",
    });

    const read = readJws(token);
    const [verification] = readKeySet({ keys: [key.jwk] }).keys;
    assert.ok("claims" in read && verification !== undefined);
    assert.equal(verifyJws(read, algorithm, verification), true);
    assert.equal(read.kid, key.kid);
  });

  test(`signJws() with ${algorithm} is not verified by another key`, async () => {
    const [one, other] = [generateSigningKey(algorithm), generateSigningKey(algorithm)];
    const token = signJws(one, { typ: "x" }, {});
    await assert.rejects(compactVerify(token, await importJWK({ ...other.jwk }, algorithm)));
  });

  test(`generateSigningKey() of ${algorithm} names its key by RFC 7638, and publishes no private member`, async () => {
    const { kid, jwk } = generateSigningKey(algorithm);
    assert.equal(kid, await calculateJwkThumbprint({ ...jwk }, "sha256"));
    const members = algorithm === "EdDSA" ? ["crv", "kty", "x"] : ["crv", "kty", "x", "y"];
    assert.deepEqual(Object.keys(jwk).toSorted(), [...members, "alg", "kid", "use"].toSorted());
  });

  test(`readSigningKey() of ${algorithm} gives back what exportSigningKey() wrote`, () => {
    const made = generateSigningKey(algorithm);
    const read = readSigningKey(exportSigningKey(made), algorithm);
    assert.deepEqual(read.jwk, made.jwk);
    const token = signJws(read, { typ: "x" }, {});
    const jws = readJws(token);
    const [verification] = readKeySet({ keys: [made.jwk] }).keys;
    assert.ok("claims" in jws && verification !== undefined);
    assert.equal(verifyJws(jws, algorithm, verification), true);
  });
}

test("signJws() carries the certificates it is given, and signs bytes as they are", async () => {
  const key = generateSigningKey("ES256");
  const bytes = Buffer.from('{"as": "it is"}');
  const token = signJws(key, { typ: "x", x5c: ["AAAA", "BBBB"] }, bytes);
  const { payload, protectedHeader } = await compactVerify(token, key.publicKey);
  assert.deepEqual(Buffer.from(payload), bytes);
  assert.deepEqual(protectedHeader.x5c, ["AAAA", "BBBB"]);
});

test("readSigningKey() refuses a key of another algorithm, and bytes that are none, without quoting them", () => {
  const pkcs8 = exportSigningKey(generateSigningKey("EdDSA"));
  for (const [bytes, algorithm] of [
    [pkcs8, "ES256"],
    [Buffer.from("canary-secret"), "EdDSA"],
    [pkcs8.subarray(0, -1), "EdDSA"],
  ] as const) {
    assert.throws(
      () => readSigningKey(bytes, algorithm),
      (error: unknown) =>
        error instanceof SallyportError &&
        error.code === "key-invalid" &&
        error.cause === undefined &&
        !error.message.includes("canary"),
    );
  }
});

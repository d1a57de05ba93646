import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import test from "node:test";
import { SallyportError } from "../model/errors.ts";
import { canonicalAlgorithm } from "./algorithms.ts";
import { publicHalf, readPublicPem } from "./public-key.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const spki = pem(publicKey);
const pkcs8 = privateKey.export({ type: "pkcs8", format: "pem" });

function pem(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" });
}

test("readPublicPem() reads a key, and publicHalf() finds the same behind its private half", () => {
  const key = readPublicPem(spki);
  assert.ok(key.algorithms.has(canonicalAlgorithm("EdDSA")));
  assert.equal(publicHalf(pkcs8).thumbprint, key.thumbprint);
});

test("readPublicPem() refuses what is not one public key that signs", () => {
  const short = pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey);
  const exchange = pem(generateKeyPairSync("x25519").publicKey);
  for (const bad of [pkcs8, "", `${spki}${spki}`, short, exchange, spki.replace("MCow", "MCox")]) {
    assert.throws(
      () => readPublicPem(bad),
      (error) => error instanceof SallyportError && error.code === "key-invalid",
      bad,
    );
  }
});

/**
 * The private key by which we prove to a provider which of its clients we are (`private_key_jwt`). Refuses what is
 * no PKCS #8 in PEM, and keys of types that sign no assertion.
 */
import { createPrivateKey, type KeyObject, type webcrypto } from "node:crypto";

export const CLIENT_KEY_REMEDY =
  "a PEM file (PKCS #8) with an RSA, Ed25519, P-256, P-384 or P-521 key";

type KeyParameters =
  | webcrypto.RsaHashedImportParams
  | webcrypto.EcKeyImportParams
  | webcrypto.Algorithm;

/** As Web Crypto asks for them. Throws TypeError where it is of another type. */
export function clientKeyParameters(key: KeyObject): KeyParameters {
  if (key.asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  if (key.asymmetricKeyType === "ed25519") return { name: "Ed25519" };
  const namedCurve = CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? "");
  if (key.asymmetricKeyType !== "ec" || namedCurve === undefined) {
    throw new TypeError("a client's key is RSA, Ed25519, or EC on P-256, P-384 or P-521");
  }
  return { name: "ECDSA", namedCurve };
}

const CURVES: ReadonlyMap<string, string> = new Map([
  ["prime256v1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
]);

/** Reads the PEM (PKCS #8) of a client's key. Throws Error where it is none that can be used. */
export function readClientKey(pem: Uint8Array): KeyObject {
  const key = createPrivateKey({ key: Buffer.from(pem), format: "pem" });
  clientKeyParameters(key);
  return key;
}

/**
 * A public key in PEM that somebody was told to trust: with it signatures are checked.
 *
 * Refuses private keys (whoever checks has no need of one), several keys in one text, and what no JOSE
 * algorithm of ours fits.
 */
import { createPublicKey } from "node:crypto";
import { SallyportError } from "../model/errors.ts";
import type { JsonObject } from "../model/json.ts";
import { readPublicKey, type VerificationKey } from "./jwk.ts";
import { pemLabels } from "./pem.ts";

/** Throws SallyportError `key-invalid`; the message holds nothing of the key. */
export function readPublicPem(pem: string): VerificationKey {
  const labels = pemLabels(pem);
  if (labels.some((label) => label.endsWith("PRIVATE KEY"))) {
    throw invalid("it is a private key; take its public half (openssl pkey -pubout)");
  }
  if (labels.length !== 1) throw invalid("it holds not exactly one public key in PEM");
  return publicHalf(pem);
}

/** The public half of a private key in PEM, whose thumbprint names it. Throws SallyportError `key-invalid`. */
export function publicHalf(pem: string): VerificationKey {
  let jwk: JsonObject;
  try {
    jwk = { ...createPublicKey(pem).export({ format: "jwk" }) } as JsonObject;
  } catch {
    // The cause is left out: what a runtime's parser says of a key is not ours to log.
    throw invalid("it holds no key in PEM that can be used");
  }
  const key = readPublicKey(jwk);
  if (typeof key === "string") throw invalid(key);
  return key;
}

function invalid(message: string): SallyportError {
  return new SallyportError("key-invalid", message);
}

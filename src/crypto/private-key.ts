/**
 * A private key that somebody issued to us or that we made elsewhere, in PEM: what it signs with is told
 * by its type. (Keys that we make ourselves are in `signing-key.ts`.)
 *
 * Refuses RSA below 2048 bits, curves that JOSE has no algorithm for, and keys under a passphrase. What
 * is said of one that is refused holds nothing of it.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { SallyportError } from "../model/errors.ts";
import { type Algorithm, algorithmProfile } from "./algorithms.ts";
import type { JwsSigner } from "./sign-jws.ts";

const LIMITS = {
  /** NIST SP 800-131A, as for keys that we verify with. */
  minRsaBits: 2048,
} as const;

/** `kid`: the name under which the other side knows it. Throws SallyportError `key-invalid`. */
export function readPrivateKey(pem: string, kid: string | undefined): JwsSigner {
  const key = parse(pem);
  const algorithm = algorithmOf(key);
  const { digest, parameters } = algorithmProfile(algorithm);
  return { algorithm, kid, sign: (bytes) => sign(digest, bytes, { key, ...parameters }) };
}

function parse(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) throw invalid("the key has a passphrase; store it without one");
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is left out: what a runtime's parser says of a private key is not ours to log.
    throw invalid("it holds no private key in PEM that can be used");
  }
}

/** RFC 7518 section 3.1, RFC 8037: one algorithm for each type. For RSA the one that everybody has. */
function algorithmOf(key: KeyObject): Algorithm {
  const { kty, crv, n } = createPublicKey(key).export({ format: "jwk" });
  if (kty === "RSA") {
    const bits = Buffer.from(n ?? "", "base64url").length * 8;
    if (bits < LIMITS.minRsaBits) throw invalid(`an RSA key below ${LIMITS.minRsaBits} bits`);
    return "RS256";
  }
  const algorithm = crv === undefined ? undefined : BY_CURVE.get(crv);
  if (algorithm === undefined) throw invalid("a key of a type that signs no JWS");
  return algorithm;
}

const BY_CURVE: ReadonlyMap<string, Algorithm> = new Map([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
  ["Ed25519", "EdDSA"],
]);

function invalid(message: string): SallyportError {
  return new SallyportError("key-invalid", message);
}

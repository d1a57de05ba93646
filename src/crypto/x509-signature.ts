/**
 * Signatures over certificates and revocation lists (RFC 5280 section 4.1.1.3). SHA-1 and MD5 are
 * not among the algorithms: who can find a collision could revive a revoked certificate.
 */
import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import { type DerElement, type DerReader, derFault, inside, oidText, TAG } from "./der.ts";

export interface Signed {
  /** The bytes that are signed. */
  readonly body: Buffer;
  readonly algorithm: DerElement;
  readonly signature: Buffer;
}

const RSA: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
};
const ECDSA: Readonly<Record<string, string>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
};
const HASHES: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const RSA_PSS = "1.2.840.113549.1.1.10";
const ED25519 = "1.3.101.112";

/** Splits SEQUENCE { body, algorithm, signature }. */
export function splitSigned(reader: DerReader): Signed {
  const body = reader.next(TAG.sequence).bytes;
  const algorithm = reader.next(TAG.sequence);
  const bits = reader.next(TAG.bitString).content;
  reader.end();
  if (bits[0] !== 0) throw derFault("a signature that is not whole bytes");
  return { body, algorithm, signature: bits.subarray(1) };
}

/** The key in a SubjectPublicKeyInfo. */
export function publicKeyOf(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: "der", type: "spki" });
  } catch {
    throw derFault("a public key that cannot be used");
  }
}

/** Whether `key` made the signature; false as well for algorithms that are not known or do not fit. */
export function signedBy({ body, algorithm, signature }: Signed, key: KeyObject): boolean {
  try {
    const parts = inside(algorithm);
    const id = oidText(parts.next(TAG.oid));
    const type = key.asymmetricKeyType;
    if (RSA[id] !== undefined) return type === "rsa" && verify(RSA[id], body, key, signature);
    if (ECDSA[id] !== undefined) return type === "ec" && verify(ECDSA[id], body, key, signature);
    if (id === ED25519) return type === "ed25519" && verify(null, body, key, signature);
    if (id !== RSA_PSS || (type !== "rsa" && type !== "rsa-pss")) return false;
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const saltLength = constants.RSA_PSS_SALTLEN_AUTO;
    return verify(pssHash(parts), body, { key, padding, saltLength }, signature);
  } catch {
    return false;
  }
}

/** RFC 4055 section 3.1. Without parameters the hash is SHA-1, which is refused. */
function pssHash(parts: DerReader): string {
  const tagged = inside(parts.next(TAG.sequence)).optional(0xa0);
  if (tagged === undefined) throw derFault("SHA-1");
  const hash = HASHES[oidText(inside(inside(tagged).next(TAG.sequence)).next(TAG.oid))];
  if (hash === undefined) throw derFault("an unknown hash");
  return hash;
}

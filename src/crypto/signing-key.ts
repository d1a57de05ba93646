/**
 * Private keys that sign on our behalf: made, exported for sealing and read back, with the public
 * half as a JWK (RFC 7517) under its thumbprint (RFC 7638) as `kid`.
 *
 * Two algorithms and no others: EdDSA on Ed25519 (RFC 8037) and ES256 (RFC 7518 section 3.4). Refuses
 * to read a key that is not of the algorithm it is said to be of: a P-384 key under `ES256` would
 * sign what nobody verifies.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { SallyportError } from "../model/errors.ts";
import type { JsonObject } from "../model/json.ts";
import type { Signer, SigningAlgorithm } from "../model/signing.ts";
import { algorithmProfile } from "./algorithms.ts";
import { jwkThumbprint } from "./jwk.ts";

/** A signer with both of its halves. */
export interface SigningKey extends Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Public JWK with `kid`, `alg` and `use: "sig"`. */
  readonly jwk: JsonObject;
}

export function generateSigningKey(algorithm: SigningAlgorithm): SigningKey {
  const { privateKey } =
    algorithm === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return signingKeyOf(privateKey, algorithm);
}

/** PKCS #8 in DER (RFC 5958): a secret, only ever to be sealed. */
export function exportSigningKey({ privateKey }: Pick<SigningKey, "privateKey">): Buffer {
  return privateKey.export({ type: "pkcs8", format: "der" });
}

/** Reads what `exportSigningKey` wrote. Throws SallyportError `key-invalid`; the message holds nothing of the key. */
export function readSigningKey(pkcs8: Buffer, algorithm: SigningAlgorithm): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: pkcs8, type: "pkcs8", format: "der" });
  } catch {
    // The cause is left out: what a runtime's parser says of a private key is not ours to log.
    throw invalid("a private key is not PKCS #8 in DER");
  }
  return signingKeyOf(privateKey, algorithm);
}

function signingKeyOf(privateKey: KeyObject, algorithm: SigningAlgorithm): SigningKey {
  const publicKey = createPublicKey(privateKey);
  const { kty, crv, digest, parameters } = algorithmProfile(algorithm);
  const members = publicMembers({ ...publicKey.export({ format: "jwk" }) });
  if (members["kty"] !== kty || members["crv"] !== crv) {
    throw invalid(`a private key is not one for ${algorithm}`);
  }
  const kid = jwkThumbprint(members);
  if (kid === undefined) throw invalid("a public key without the members of its type");
  const jwk: JsonObject = { ...members, kid, alg: algorithm, use: "sig" };
  const signWith = { key: privateKey, ...parameters };
  return {
    kid,
    algorithm,
    privateKey,
    publicKey,
    jwk,
    sign: (bytes) => sign(digest, bytes, signWith),
  };
}

/** Named one by one, so that a private member cannot slip through. */
function publicMembers(exported: Readonly<Record<string, unknown>>): JsonObject {
  const members: Record<string, string> = {};
  for (const name of ["kty", "crv", "x", "y"]) {
    const value = exported[name];
    if (typeof value === "string") members[name] = value;
  }
  return members;
}

function invalid(message: string): SallyportError {
  return new SallyportError("key-invalid", message);
}

/**
 * Proofs of possession: compact JWS, signed by the very key that they carry (`jwk`), for one purpose
 * (`typ`), one authority (`aud`) and one moment (`iat`).
 *
 *     sallyport-enrol+jwt    { aud, iat, jti, jwk, token }             by the new key
 *     sallyport-renew+jwt    { aud, iat, jti, jwk, old }               by the new key; `old`: see below
 *     sallyport-rotate+jwt   { aud, iat, jti, sub, proof }             by the old key; `proof`: the one above
 *     sallyport-assertion-key+jwt
 *                            { aud, iat, jti, jwk, old, activeMs, retiredMs, removedMs }
 *                                                                     by the key that is to be published
 *
 * `old` names what is replaced, the certificate by `x5t#S256` or the key by its RFC 7638 thumbprint: a
 * proof that is moved to another machine's connection proves nothing there. Refuses keys other than
 * P-256 (`ES256`) and Ed25519 (`EdDSA`), and a `jwk` that is private. There is no memory of `jti`s:
 * a proof that is sent again can only have its own key registered again, which is what it said.
 */
import { createPublicKey, type KeyObject, randomUUID, sign } from "node:crypto";
import { algorithmProfile } from "../../crypto/algorithms.ts";
import { readKeySet, type VerificationKey } from "../../crypto/jwk.ts";
import { readJws, type UnverifiedJws, verifyJws } from "../../crypto/jws.ts";
import { signJws } from "../../crypto/sign-jws.ts";
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonObject } from "../../model/json.ts";
import { SIGNING_ALGORITHMS, type Signer, type SigningAlgorithm } from "../../model/signing.ts";

export const PROOF_TYPES = {
  enrol: "sallyport-enrol+jwt",
  renew: "sallyport-renew+jwt",
  rotate: "sallyport-rotate+jwt",
  assertionKey: "sallyport-assertion-key+jwt",
} as const;

export const PROOF_LIMITS = {
  /** Milliseconds between the machine's clock and ours: what a clock without a source drifts in a month. */
  clockMs: 5 * 60_000,
  jtiChars: 128,
} as const;

/** A public key as it is registered. */
export interface ProvenKey {
  readonly jwk: Readonly<Record<string, string>>;
  /** RFC 7638. */
  readonly thumbprint: string;
  readonly algorithm: SigningAlgorithm;
  readonly verification: VerificationKey;
}

export interface Proof {
  readonly key: ProvenKey;
  readonly claims: JsonObject;
}

export type ProofFault = { readonly fault: "proof-invalid" | "clock-off"; readonly detail: string };

export interface ProofContext {
  readonly type: string;
  readonly audience: string;
  readonly nowMs: number;
}

/** A proof by the key that it carries, or what is wrong with it. */
export function readProof(token: string, context: ProofContext): Proof | ProofFault {
  const jws = readJws(token);
  if ("fault" in jws) return invalid(jws.detail);
  const jwk = jws.claims["jwk"];
  const key = isJsonObject(jwk) ? readProvenKey(jwk) : undefined;
  if (key === undefined) return invalid("jwk is no public key of P-256 or Ed25519");
  return checkProof(jws, key, context) ?? { key, claims: jws.claims };
}

/** What is wrong with a proof that this key should have made; undefined: nothing. */
export function checkProof(
  jws: UnverifiedJws,
  key: ProvenKey,
  { type, audience, nowMs }: ProofContext,
): ProofFault | undefined {
  if (jws.type !== type) return invalid(`typ is not ${type}`);
  if (!verifyJws(jws, key.algorithm, key.verification)) {
    return invalid("the signature is not by the key that it should be by");
  }
  const { aud, iat, jti } = jws.claims;
  if (aud !== audience) return invalid("aud is another authority");
  if (typeof jti !== "string" || jti === "" || jti.length > PROOF_LIMITS.jtiChars) {
    return invalid("jti is absent");
  }
  if (typeof iat !== "number") return invalid("iat is absent");
  if (Math.abs(iat * 1000 - nowMs) > PROOF_LIMITS.clockMs) {
    return {
      fault: "clock-off",
      detail: "iat is more than five minutes from the authority's clock",
    };
  }
  return undefined;
}

/** Undefined where it is no public key that a machine may have. */
export function readProvenKey(jwk: JsonObject): ProvenKey | undefined {
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined) return undefined;
  const { kty, crv, x, y } = jwk;
  // Members that say more about the key (`use`, `alg`) have no place in what is registered.
  const members = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  try {
    // `jwk` itself, so that one that is private is refused.
    readKeySet({ keys: [jwk] });
    const [verification] = readKeySet({ keys: [members] }).keys;
    if (verification === undefined) return undefined;
    const { thumbprint } = verification;
    return { jwk: members as Record<string, string>, thumbprint, algorithm, verification };
  } catch (error) {
    if (error instanceof SallyportError) return undefined;
    throw error;
  }
}

/** A private key that makes proofs, with its public half. */
export interface ProofKey extends ProvenKey {
  readonly privateKey: KeyObject;
}

/** Throws `key-invalid`. */
export function proofKeyOf(privateKey: KeyObject): ProofKey {
  const jwk = createPublicKey(privateKey).export({ format: "jwk" }) as unknown as JsonObject;
  const key = readProvenKey(jwk);
  if (key === undefined) throw new SallyportError("key-invalid", "not a key of P-256 or Ed25519");
  return { ...key, privateKey };
}

export interface ProofDraft {
  readonly type: string;
  readonly audience: string;
  readonly nowMs: number;
  /** Besides `aud`, `iat` and `jti`. */
  readonly claims: JsonObject;
}

export function signProof(key: ProofKey, { type, audience, nowMs, claims }: ProofDraft): string {
  const { digest, parameters } = algorithmProfile(key.algorithm);
  const signer: Signer = {
    kid: key.thumbprint,
    algorithm: key.algorithm,
    sign: (bytes) => sign(digest, bytes, { key: key.privateKey, ...parameters }),
  };
  const iat = Math.floor(nowMs / 1000);
  return signJws(signer, { typ: type }, { aud: audience, iat, jti: randomUUID(), ...claims });
}

function algorithmOf({ kty, crv }: JsonObject): SigningAlgorithm | undefined {
  return SIGNING_ALGORITHMS.find((one) => {
    const profile = algorithmProfile(one);
    return profile.kty === kty && profile.crv === crv;
  });
}

function invalid(detail: string): ProofFault {
  return { fault: "proof-invalid", detail };
}

/**
 * The signature algorithms that we verify: RFC 7518 sections 3.3 to 3.5, RFC 8037 and RFC 9864.
 *
 * `none` and the HMAC family are absent and cannot be configured: a public key is no secret, and a
 * verifier that takes both kinds can be made to use it as one.
 */
import { constants } from "node:crypto";

export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

export type Algorithm = (typeof ALGORITHMS)[number];

/** What an algorithm asks of a key, and how node:crypto is told. */
export interface AlgorithmProfile {
  readonly kty: "RSA" | "EC" | "OKP";
  /** Required curve; undefined for RSA. */
  readonly crv: string | undefined;
  /** Digest; null where the algorithm has its own. */
  readonly digest: string | null;
  /** Exact signature length in bytes; undefined for RSA, where it is the modulus'. */
  readonly signatureBytes: number | undefined;
  readonly parameters: {
    readonly padding?: number;
    readonly saltLength?: number;
    readonly dsaEncoding?: "ieee-p1363";
  };
}

const PROFILES: Readonly<Record<Algorithm, AlgorithmProfile>> = {
  RS256: rsa("sha256"),
  RS384: rsa("sha384"),
  RS512: rsa("sha512"),
  PS256: pss("sha256", 32),
  PS384: pss("sha384", 48),
  PS512: pss("sha512", 64),
  ES256: ecdsa("P-256", "sha256", 64),
  ES384: ecdsa("P-384", "sha384", 96),
  ES512: ecdsa("P-521", "sha512", 132),
  EdDSA: ed25519(),
  Ed25519: ed25519(),
};

export function algorithmProfile(algorithm: Algorithm): AlgorithmProfile {
  return PROFILES[algorithm];
}

export function isAlgorithm(name: string): name is Algorithm {
  return (ALGORITHMS as readonly string[]).includes(name);
}

/** RFC 9864 renames `EdDSA` with Ed25519 keys to `Ed25519`: one algorithm, two names. */
export function canonicalAlgorithm(algorithm: Algorithm): Algorithm {
  return algorithm === "EdDSA" ? "Ed25519" : algorithm;
}

function rsa(digest: string): AlgorithmProfile {
  const parameters = { padding: constants.RSA_PKCS1_PADDING };
  return { kty: "RSA", crv: undefined, digest, signatureBytes: undefined, parameters };
}

function pss(digest: string, saltLength: number): AlgorithmProfile {
  // RFC 7518 section 3.5: the salt has the digest's length, no other is accepted.
  const parameters = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  return { kty: "RSA", crv: undefined, digest, signatureBytes: undefined, parameters };
}

function ecdsa(crv: string, digest: string, signatureBytes: number): AlgorithmProfile {
  return { kty: "EC", crv, digest, signatureBytes, parameters: { dsaEncoding: "ieee-p1363" } };
}

function ed25519(): AlgorithmProfile {
  return { kty: "OKP", crv: "Ed25519", digest: null, signatureBytes: 64, parameters: {} };
}

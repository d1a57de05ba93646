/**
 * Public keys from a JWK Set (RFC 7517), for checking signatures and nothing else.
 *
 * Refuses a set that holds a private or symmetric key: whoever can read the set could sign with it.
 * Leaves out, and says so, keys that are not for signatures (`use`, `key_ops`), of an unknown type
 * or curve, or too weak: RSA below 2048 bits, or with an exponent that makes forging easy (1) or
 * checking slow (beyond 32 bits).
 */
import { createPublicKey, hash, type KeyObject } from "node:crypto";
import { SallyportError } from "../model/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../model/json.ts";
import { ALGORITHMS, algorithmProfile, canonicalAlgorithm, isAlgorithm } from "./algorithms.ts";
import type { Algorithm } from "./algorithms.ts";
import { decodeBase64url } from "./base64url.ts";

/** A key that may check signatures of these algorithms. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** RFC 7638, SHA-256: the key's identity, whatever it is called. */
  readonly thumbprint: string;
  /** Canonical names (`Ed25519`, never `EdDSA`). */
  readonly algorithms: ReadonlySet<Algorithm>;
  readonly keyObject: KeyObject;
}

export interface KeySetContent {
  /** At least one. */
  readonly keys: readonly VerificationKey[];
  /** Why members of the set are not used, for the operator. */
  readonly skipped: readonly string[];
}

const LIMITS = {
  /** The largest public providers publish about ten; each import costs some 50 µs. */
  keys: 100,
  kidChars: 256,
  /** NIST SP 800-131A: below it RSA signatures are not trusted. */
  minRsaBits: 2048,
  /** A check costs the square of the length: 8192 bits take about 0.5 ms. */
  maxRsaBits: 8192,
  maxRsaExponent: 2n ** 32n - 1n,
} as const;

/** Members that only private and symmetric keys have (RFC 7518 sections 6.2.2, 6.3.2, 6.4). */
const SECRET_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/** Reads a JWK Set. Throws SallyportError `key-invalid`. */
export function readKeySet(document: JsonValue): KeySetContent {
  const members = isJsonObject(document) ? document["keys"] : undefined;
  if (!Array.isArray(members)) throw invalid("a key set is an object with a list `keys`");
  if (members.length > LIMITS.keys) throw invalid(`a key set has at most ${LIMITS.keys} keys`);
  const keys: VerificationKey[] = [];
  const skipped: string[] = [];
  for (const [index, member] of (members as JsonValue[]).entries()) {
    if (!isJsonObject(member)) throw invalid(`keys[${index}] is not an object`);
    const outcome = readKey(member, index);
    if (typeof outcome === "string") skipped.push(`keys[${index}]: ${outcome}`);
    else keys.push(outcome);
  }
  if (keys.length === 0) {
    throw invalid(["the key set has no usable signature key", ...skipped].join("; "));
  }
  return { keys, skipped };
}

/** A key of a set, or why it is left out. */
function readKey(jwk: JsonObject, index: number): VerificationKey | string {
  if (isSecret(jwk)) {
    throw invalid(`keys[${index}] is a private or symmetric key; a key set holds public keys only`);
  }
  return readPublicKey(jwk);
}

function isSecret(jwk: JsonObject): boolean {
  return jwk["kty"] === "oct" || SECRET_MEMBERS.some((name) => name in jwk);
}

/** One key that may check signatures, or why it may not. Nothing vouches for it but who shows it. */
export function readPublicKey(jwk: JsonObject): VerificationKey | string {
  if (isSecret(jwk)) return "it is a private or symmetric key";
  const purpose = whyNotForSignatures(jwk);
  if (purpose !== undefined) return purpose;
  const kid = jwk["kid"];
  if (kid !== undefined && (typeof kid !== "string" || kid.length > LIMITS.kidChars)) {
    return `kid is not a string of at most ${LIMITS.kidChars} characters`;
  }
  const algorithms = fittingAlgorithms(jwk);
  if (algorithms.size === 0) return "kty, crv and alg name no signature algorithm that we verify";
  const material = requiredMembers(jwk);
  if (material === undefined) return "a member of the key is missing or not base64url";
  const keyObject = importKey(material);
  if (keyObject === undefined) return "the key's numbers are not valid";
  const weakness = rsaWeakness(keyObject);
  if (weakness !== undefined) return weakness;
  return { kid, thumbprint: thumbprint(material), algorithms, keyObject };
}

function whyNotForSignatures(jwk: JsonObject): string | undefined {
  const use = jwk["use"];
  if (use !== undefined && use !== "sig") return "use is not sig";
  const operations = jwk["key_ops"];
  if (operations === undefined) return undefined;
  return Array.isArray(operations) && operations.includes("verify")
    ? undefined
    : "key_ops does not hold verify";
}

function fittingAlgorithms(jwk: JsonObject): ReadonlySet<Algorithm> {
  const declared = jwk["alg"];
  const candidates =
    declared === undefined
      ? ALGORITHMS
      : typeof declared === "string" && isAlgorithm(declared)
        ? [declared]
        : [];
  const fitting = candidates.filter((algorithm) => {
    const profile = algorithmProfile(algorithm);
    return profile.kty === jwk["kty"] && (profile.crv === undefined || profile.crv === jwk["crv"]);
  });
  return new Set(fitting.map(canonicalAlgorithm));
}

/** The members of a public key, and no others. */
type KeyMaterial = Record<string, string>;

/** Names in lexical order, as RFC 7638 section 3.2 wants them for the thumbprint. */
const REQUIRED: ReadonlyMap<JsonValue | undefined, readonly string[]> = new Map([
  ["RSA", ["e", "kty", "n"]],
  ["EC", ["crv", "kty", "x", "y"]],
  ["OKP", ["crv", "kty", "x"]],
]);

function requiredMembers(jwk: JsonObject): KeyMaterial | undefined {
  const material: KeyMaterial = {};
  for (const name of REQUIRED.get(jwk["kty"]) ?? []) {
    const value = jwk[name];
    if (typeof value !== "string") return undefined;
    const encoded = name !== "kty" && name !== "crv";
    if (encoded && (value === "" || decodeBase64url(value) === undefined)) return undefined;
    material[name] = value;
  }
  return material;
}

function importKey(material: KeyMaterial): KeyObject | undefined {
  try {
    return createPublicKey({ key: material, format: "jwk" });
  } catch {
    return undefined;
  }
}

function rsaWeakness(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType !== "rsa") return undefined;
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < LIMITS.minRsaBits || modulusLength > LIMITS.maxRsaBits) {
    return `an RSA key has ${LIMITS.minRsaBits} to ${LIMITS.maxRsaBits} bits, this one ${modulusLength}`;
  }
  const exponent = publicExponent;
  if (exponent < 3n || exponent % 2n === 0n || exponent > LIMITS.maxRsaExponent) {
    return "an RSA exponent is odd, at least 3 and at most 32 bits";
  }
  return undefined;
}

/** RFC 7638, SHA-256, of a public JWK; undefined where a member that its type needs is missing. */
export function jwkThumbprint(jwk: JsonObject): string | undefined {
  const material = requiredMembers(jwk);
  return material === undefined || Object.keys(material).length === 0
    ? undefined
    : thumbprint(material);
}

function thumbprint(material: KeyMaterial): string {
  // `material` was filled in lexical order, and strings of base64url and names need no escapes.
  return hash("sha256", JSON.stringify(material), "base64url");
}

function invalid(message: string): SallyportError {
  return new SallyportError("key-invalid", message);
}

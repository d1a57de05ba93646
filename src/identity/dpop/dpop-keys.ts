/**
 * The key that a proof carries in its header (RFC 9449 section 4.2), and whether it is the one that the
 * token is bound to.
 *
 * Refuses headers that are not `dpop+jwt`, algorithms that are not listed, keys that are private or of
 * another kind than the algorithm, everything that would bring in a key or a certificate from elsewhere
 * (`jku`, `x5u`, `x5c`, …), and extensions. A `kid` names nothing here and counts for nothing.
 *
 * Importing a key costs about what checking its signature does, so keys are kept: only such as verified
 * tokens are bound to, by thumbprint, with the header that they came in, because a client sends the
 * same one with each of its proofs.
 */
import {
  type Algorithm,
  algorithmProfile,
  canonicalAlgorithm,
  isAlgorithm,
} from "../../crypto/algorithms.ts";
import { decodeBase64url } from "../../crypto/base64url.ts";
import { jwkThumbprint, readPublicKey, type VerificationKey } from "../../crypto/jwk.ts";
import { isJsonObject, type JsonObject, parseJsonBytes } from "../../model/json.ts";
import { invalidProof as invalid, ProofFault } from "./proof-fault.ts";

const LIMITS = {
  /** Keys that are kept, some 2 KB each; one that fell out is imported again. */
  keys: 10_000,
  /** Levels of nesting; a header with a key in it has two. */
  depth: 4,
} as const;

export interface ProofKey {
  readonly algorithm: Algorithm;
  readonly key: VerificationKey;
}

export interface ProofKeys {
  /**
   * `header`: the first part of a proof, as sent. `thumbprint`: `cnf.jkt` of a token that was verified;
   * undefined: any key, of which none is kept, since nothing vouches for it.
   */
  find(header: string, thumbprint: string | undefined): ProofKey | ProofFault;
  readonly size: number;
}

interface Kept extends ProofKey {
  readonly header: string;
}

export function createProofKeys(
  algorithms: readonly Algorithm[],
  { maxKeys = LIMITS.keys }: { readonly maxKeys?: number } = {},
): ProofKeys {
  const allowed = new Set(algorithms.map(canonicalAlgorithm));
  const kept = new Map<string, Kept>();

  function keep(thumbprint: string, one: Kept): Kept {
    const oldest = kept.size < maxKeys ? undefined : kept.keys().next().value;
    if (oldest !== undefined && !kept.has(thumbprint)) kept.delete(oldest);
    kept.set(thumbprint, one);
    return one;
  }

  return {
    find(header, thumbprint) {
      const known = thumbprint === undefined ? undefined : kept.get(thumbprint);
      if (known?.header === header) return known;
      const read = readHeader(header, allowed);
      if (read instanceof ProofFault) return read;
      if (thumbprint !== undefined && jwkThumbprint(read.jwk) !== thumbprint) return WRONG_KEY;
      const key = readPublicKey(read.jwk);
      if (typeof key === "string") return invalid(`jwk: ${key}`);
      if (!key.algorithms.has(canonicalAlgorithm(read.algorithm))) {
        return invalid("alg is not one of the key's");
      }
      if (thumbprint === undefined) return { algorithm: read.algorithm, key };
      return keep(thumbprint, { algorithm: read.algorithm, key, header });
    },
    get size() {
      return kept.size;
    },
  };
}

const WRONG_KEY = new ProofFault(
  "wrong-proof-key",
  "the proof is by another key than the token is bound to",
);

/** Members that name a key or a certificate elsewhere (RFC 7515 sections 4.1.2, 4.1.5 to 4.1.8). */
const ELSEWHERE = ["jku", "x5u", "x5c", "x5t", "x5t#S256"];

function readHeader(
  text: string,
  allowed: ReadonlySet<Algorithm>,
): { readonly algorithm: Algorithm; readonly jwk: JsonObject } | ProofFault {
  const header = readObject(text, "header");
  if (header instanceof ProofFault) return header;
  const { typ, alg, jwk } = header;
  if (typ !== "dpop+jwt") return invalid("typ is not dpop+jwt");
  if (typeof alg !== "string" || !isAlgorithm(alg) || !allowed.has(canonicalAlgorithm(alg))) {
    return invalid("alg is not in the list");
  }
  if ("crit" in header || "b64" in header)
    return invalid("crit or b64: no extension is understood");
  if (!isJsonObject(jwk)) return invalid("jwk is absent or not an object");
  const foreign = ELSEWHERE.find((name) => name in header || name in jwk);
  if (foreign !== undefined) return invalid(`${foreign}: the key is in jwk and nowhere else`);
  if (jwk["kty"] !== algorithmProfile(alg).kty) return invalid("jwk is of another kty than alg");
  return { algorithm: alg, jwk };
}

/** A part of a proof as a JSON object. */
export function readObject(part: string, name: string): JsonObject | ProofFault {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) return invalid(`the ${name} is not canonical base64url`);
  try {
    const value = parseJsonBytes(bytes, { maxDepth: LIMITS.depth });
    return isJsonObject(value) ? value : invalid(`the ${name} is not a JSON object`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return invalid(`the ${name} is not strict JSON: ${error.message}`);
  }
}

/**
 * The keys by which provisioning keys are verified: those of use `tokens` that the authority publishes
 * now, and no others. What it signs for another use never verifies here (design section 5, rule 14).
 */
import { readPublicKey, type VerificationKey } from "../../crypto/jwk.ts";
import { type UnverifiedJws, verifyJws } from "../../crypto/jws.ts";
import type { PublishedKey, PublishedKeys, SigningAlgorithm } from "../../model/signing.ts";
import type { TokenFault } from "../token-precheck.ts";

export interface IssuedKeys {
  /** Whether a key of the authority signed it: then what says for how long that counts. */
  verify(jws: UnverifiedJws): { readonly valid: () => boolean } | TokenFault;
  readonly size: number;
}

interface Known {
  readonly algorithm: SigningAlgorithm;
  readonly key: VerificationKey;
}

export function createIssuedKeys(published: PublishedKeys): IssuedKeys {
  let version = -1;
  let known: ReadonlyMap<string, Known> = new Map();
  const current = (): ReadonlyMap<string, Known> => {
    if (version !== published.version) {
      version = published.version;
      known = readKeys(published.of("tokens"));
    }
    return known;
  };

  /** Asked on every request, so it is looked up only after a change. */
  function standing(kid: string, thumbprint: string): () => boolean {
    let seen = published.version;
    let stands = true;
    return () => {
      if (seen !== published.version) {
        stands = stands && current().get(kid)?.key.thumbprint === thumbprint;
        seen = published.version;
      }
      return stands;
    };
  }

  return {
    get size() {
      return current().size;
    },
    verify(jws) {
      const keys = current();
      if (keys.size === 0) return UNAVAILABLE;
      const found = jws.kid === undefined ? undefined : keys.get(jws.kid);
      if (jws.kid === undefined || found === undefined) return UNKNOWN;
      const { algorithm, key } = found;
      // As the key says; what the token says has no part in it (RFC 8725 section 3.1).
      if (jws.algorithm !== algorithm) return UNFIT;
      if (!verifyJws(jws, algorithm, key)) return NOT_SIGNED;
      return { valid: standing(jws.kid, key.thumbprint) };
    },
  };
}

function readKeys(published: readonly PublishedKey[]): ReadonlyMap<string, Known> {
  const known = new Map<string, Known>();
  for (const { kid, jwk, algorithm } of published) {
    const key = readPublicKey(jwk);
    if (typeof key !== "string") known.set(kid, { algorithm, key });
  }
  return known;
}

const UNAVAILABLE: TokenFault = Object.freeze({
  fault: "identity-unavailable",
  detail: "the authority's keys are not known here yet",
});

const UNKNOWN: TokenFault = Object.freeze({
  fault: "unknown-key",
  detail: "kid is none of the keys that the authority signs tokens with",
});

const UNFIT: TokenFault = Object.freeze({
  fault: "algorithm-not-allowed",
  detail: "alg does not fit the key that kid names",
});

const NOT_SIGNED: TokenFault = Object.freeze({
  fault: "invalid-signature",
  detail: "the signature does not verify under the authority's key",
});

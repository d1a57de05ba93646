/**
 * What a provider signs for us: ID tokens and logout tokens. One of our algorithms, a type of its own, a key
 * of its issuer's set; the claims come out only then.
 *
 * The algorithm comes from our list, which has neither `none` nor HMAC (RFC 8725 section 3.1): a provider's
 * public key is no secret, and a client's secret is not the provider's alone.
 */
import { canonicalAlgorithm, isAlgorithm, type Algorithm } from "../../crypto/algorithms.ts";
import { readJws } from "../../crypto/jws.ts";
import type { JsonObject } from "../../model/json.ts";
import type { KeySet } from "../key-set/key-set.ts";
import { findSigner } from "../key-set/signer.ts";
import type { TokenFault } from "../token-precheck.ts";

export interface SignedByProvider {
  readonly claims: JsonObject;
  readonly algorithm: Algorithm;
}

export interface SignatureRules {
  readonly algorithms: readonly Algorithm[];
  /** Lower-case `typ` that it may have; none is always allowed. */
  readonly types: readonly string[];
}

/** Never rejects. The fault's detail holds nothing of the token. */
export async function verifyProviderToken(
  token: string,
  keys: KeySet,
  { algorithms, types }: SignatureRules,
): Promise<SignedByProvider | TokenFault> {
  const jws = readJws(token);
  if ("fault" in jws) return jws;
  const { algorithm, type, claims } = jws;
  const allowed = algorithms.map(canonicalAlgorithm);
  if (!isAlgorithm(algorithm) || !allowed.includes(canonicalAlgorithm(algorithm))) {
    return { fault: "algorithm-not-allowed", detail: "alg is not in the list" };
  }
  // A token of another kind by the same issuer must not pass for one of these (RFC 8725 section 3.12).
  if (type !== undefined && !types.includes(type.toLowerCase().replace(/^application\//, ""))) {
    return { fault: "invalid-token-type", detail: "typ is not that of such a token" };
  }
  const signer = await findSigner(keys, jws, algorithm);
  return "fault" in signer ? signer : { claims, algorithm };
}

/**
 * Which key of its issuer signed a token, if any.
 *
 * Keys come from the issuer's set only, by `kid`; what the token's header says about keys is not
 * looked at.
 */
import type { Algorithm } from "../../crypto/algorithms.ts";
import { verifyJws, type UnverifiedJws } from "../../crypto/jws.ts";
import type { KeyAnswer, KeySet, TrustedKey } from "./key-set.ts";
import type { TokenFault } from "../token-precheck.ts";

/** A promise only where keys are fetched. Never rejects. */
export function findSigner(
  keys: KeySet,
  jws: UnverifiedJws,
  algorithm: Algorithm,
): TrustedKey | TokenFault | Promise<TrustedKey | TokenFault> {
  const judge = (answer: KeyAnswer): TrustedKey | TokenFault => {
    if (answer === "unavailable") return UNAVAILABLE;
    const signer = answer.find(({ key }) => verifyJws(jws, algorithm, key));
    if (signer !== undefined) return signer;
    return answer.length > 0 ? NOT_SIGNED : whyNoKey(keys, jws.kid);
  };
  const answer = keys.find(jws.kid, algorithm);
  if (answer instanceof Promise) return answer.then(judge);
  const found = judge(answer);
  if (found !== NOT_SIGNED) return found;
  return keys.findAgain(jws.kid, algorithm)?.then(judge) ?? found;
}

const UNAVAILABLE: TokenFault = Object.freeze({
  fault: "identity-unavailable",
  detail: "the issuer's keys were never fetched, or are staler than their bound",
});

const NOT_SIGNED: TokenFault = Object.freeze({
  fault: "invalid-signature",
  detail: "the signature does not verify under the issuer's key",
});

function whyNoKey(keys: KeySet, kid: string | undefined): TokenFault {
  if (kid === undefined) {
    const detail = "it names no key, and the issuer's set has none or too many that fit alg";
    return { fault: "unknown-key", detail };
  }
  return keys.has(kid)
    ? { fault: "algorithm-not-allowed", detail: "alg does not fit the key that kid names" }
    : { fault: "unknown-key", detail: "kid is not in the issuer's key set" };
}

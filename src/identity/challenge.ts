/**
 * The `WWW-Authenticate` value of an answer (RFC 6750 section 3). Says nothing about the token but
 * the reason's title, which is the same for every occurrence.
 */
import { isChallenged, REASONS, reasonInfo, type Reason } from "../model/reason.ts";
import { PROOF_ERRORS, tokenError } from "./challenge-errors.ts";

/** The value for a reason; undefined where the answer has none. */
export type Challenge = (reason: Reason) => string | undefined;

/**
 * Makes the challenges of one realm, once for all reasons.
 * Throws TypeError where the realm is no plain quoted-string.
 */
export function createChallenge(realm: string): Challenge {
  // What would need an escape (RFC 9110 section 5.6.4) is refused: many readers know none.
  if (!/^[\u0020\u0021\u0023-\u005b\u005d-\u007e]+$/.test(realm)) {
    throw new TypeError("a realm is visible ASCII without '\"' and '\\'");
  }
  const values = new Map<Reason, string>();
  for (const reason of Object.keys(REASONS) as Reason[]) {
    if (!isChallenged(reason)) continue;
    const { title } = reasonInfo(reason);
    // Section 3.1: a request without any authentication information gets no error code. What is wrong
    // with a proof is said beside it, in the challenge of DPoP.
    const error =
      reason === "missing-credential" || PROOF_ERRORS[reason] !== undefined
        ? ""
        : `, error="${tokenError(reason)}", error_description="${title}"`;
    values.set(reason, `Bearer realm="${realm}"${error}`);
  }
  return (reason) => values.get(reason);
}

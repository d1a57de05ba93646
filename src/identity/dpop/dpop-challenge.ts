/**
 * The `WWW-Authenticate: DPoP` value of an answer (RFC 9449 section 7.1), beside that of Bearer: which
 * algorithms proofs may be made by, and what was wrong. It says nothing of the token or the proof.
 */
import type { Algorithm } from "../../crypto/algorithms.ts";
import { isChallenged, REASONS, reasonInfo, type Reason } from "../../model/reason.ts";
import type { Challenge } from "../challenge.ts";
import { PROOF_ERRORS, tokenError } from "../challenge-errors.ts";

/** Makes the challenges once for all reasons; undefined where the answer has none. */
export function createDpopChallenge(algorithms: readonly Algorithm[]): Challenge {
  const names = new Set(algorithms.flatMap(namesOf));
  const algs = `algs="${[...names].join(" ")}"`;
  const values = new Map<Reason, string>();
  for (const reason of Object.keys(REASONS) as Reason[]) {
    if (!isChallenged(reason)) continue;
    const { title } = reasonInfo(reason);
    const error = PROOF_ERRORS[reason] ?? tokenError(reason);
    const said =
      reason === "missing-credential" ? "" : `, error="${error}", error_description="${title}"`;
    values.set(reason, `DPoP ${algs}${said}`);
  }
  return (reason) => values.get(reason);
}

/** A client knows one of the two names (RFC 9864). */
function namesOf(algorithm: Algorithm): readonly Algorithm[] {
  return algorithm === "EdDSA" || algorithm === "Ed25519" ? ["EdDSA", "Ed25519"] : [algorithm];
}

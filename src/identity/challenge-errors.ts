/** What a challenge says was wrong: of the token (RFC 6750 section 3.1), or of its proof (RFC 9449 section 7.1). */
import type { Reason } from "../model/reason.ts";

/** What is wrong with the proof, and not with the token: the client makes another one. */
export const PROOF_ERRORS: Partial<Record<Reason, "invalid_dpop_proof" | "use_dpop_nonce">> = {
  "invalid-proof": "invalid_dpop_proof",
  "replayed-proof": "invalid_dpop_proof",
  "stale-proof": "invalid_dpop_proof",
  "use-dpop-nonce": "use_dpop_nonce",
};

type TokenError = "insufficient_scope" | "insufficient_user_authentication" | "invalid_token";

export function tokenError(reason: Reason): TokenError {
  // RFC 6750 section 3.1: a key that is for more would do.
  if (reason === "outside-key") return "insufficient_scope";
  // RFC 9470 section 3.
  return reason === "step-up-required" ? "insufficient_user_authentication" : "invalid_token";
}

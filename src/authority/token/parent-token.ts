/**
 * A token that a key is to be derived from: verified by the authenticator of `tokens.subjects` that it is
 * of, looked at as on every request, and proven to be in its owner's hands where it is bound.
 */
import { checkFacts } from "../../identity/checks.ts";
import { type CredentialFacts, isFailure } from "../../model/facts.ts";
import type { Reason } from "../../model/reason.ts";
import { audienceOf } from "./client-authentication.ts";
import type { EndpointProof } from "./endpoint-proof.ts";
import { certificateOf, type TokenCall } from "./token-call.ts";
import { errorFor, TokenFault } from "./token-fault.ts";

export interface Presented {
  /** Which parameter it came in. */
  readonly parameter: string;
  /** Of a token that is no good: `invalid_request` (RFC 8693 section 2.2.2) or `invalid_grant` (RFC 7523 section 3.1). */
  readonly error: "invalid_request" | "invalid_grant";
  readonly proof: EndpointProof;
}

export async function verifyParent(
  call: TokenCall,
  token: string,
  presented: Presented,
): Promise<CredentialFacts | TokenFault> {
  const { own, tokens } = call;
  const refuse = (reason: Reason, detail: string, costly = false): TokenFault =>
    new TokenFault(errorFor(reason, presented.error), `${presented.parameter} is not good here`, {
      reason,
      detail: `${presented.parameter}: ${detail}`,
      costly,
    });
  if (tokens.subjects === undefined) {
    return refuse("unknown-issuer", "authority.tokens.subjects names no authenticator");
  }
  const facts = await tokens.subjects.verify(token);
  if (isFailure(facts)) return refuse(facts.failure, facts.detail, facts.costly);
  const audience = [...facts.acceptedAudience, ...audienceOf(call)];
  const unfit = checkFacts(facts, own.timeMs, audience);
  if (unfit !== undefined) return refuse(unfit, "it does not count here or now");
  if (own.revoked(facts)) return refuse("credential-revoked", "it was revoked");
  const unproven = whyUnproven(call, facts, presented.proof);
  return unproven === undefined ? facts : refuse(unproven.reason, unproven.detail);
}

/** Whoever has found a bound token has not the key that it is bound to. */
function whyUnproven(
  call: TokenCall,
  { confirmation }: CredentialFacts,
  { keyThumbprint }: EndpointProof,
): { readonly reason: Reason; readonly detail: string } | undefined {
  if (confirmation === undefined) return undefined;
  const { other, certificateThumbprint, keyThumbprint: wanted } = confirmation;
  if (other) return { reason: "missing-proof", detail: "cnf names what cannot be checked here" };
  const shown = certificateOf(call);
  if (certificateThumbprint !== undefined && certificateThumbprint !== shown) {
    return shown === undefined
      ? { reason: "missing-proof", detail: "bound to a certificate, and none was shown" }
      : { reason: "wrong-certificate", detail: "bound to another certificate" };
  }
  if (wanted === undefined || wanted === keyThumbprint) return undefined;
  return keyThumbprint === undefined
    ? { reason: "missing-proof", detail: "bound to a key, and no DPoP proof was shown" }
    : { reason: "wrong-proof-key", detail: "bound to another key than that of the DPoP proof" };
}

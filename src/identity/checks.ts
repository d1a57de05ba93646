/**
 * What is looked at on every request that carries a credential, however often it was seen: the
 * facts are cached, these outcomes never. Allocates nothing.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";

export type Times = Pick<CredentialFacts, "expiresAt" | "notBefore" | "issuedAt" | "clockSkew">;

/**
 * Why the credential does not count now on this route, or undefined when it does.
 * `routeAudience` undefined: the authenticator's own audience. Neither: nothing is accepted.
 */
export function checkFacts(
  facts: CredentialFacts,
  nowMs: number,
  routeAudience: readonly string[] | undefined,
): Reason | undefined {
  // The key that verified it is gone: whether another vouches for it has to be found out anew.
  if (!facts.valid()) return "unknown-key";
  return (
    checkTimes(facts, nowMs) ??
    (facts.audience === undefined ||
    shareOne(facts.audience, routeAudience ?? facts.acceptedAudience)
      ? undefined
      : "wrong-audience")
  );
}

/** RFC 7519 sections 4.1.4 to 4.1.6, with the authenticator's clock skew. */
export function checkTimes(times: Times, nowMs: number): Reason | undefined {
  const now = nowMs / 1000;
  // "on or after which the JWT MUST NOT be accepted"
  if (now >= times.expiresAt + times.clockSkew) return "token-expired";
  const latestStart = now + times.clockSkew;
  if (times.notBefore !== undefined && times.notBefore > latestStart) return "token-not-yet-valid";
  // An `iat` ahead of us is a broken clock or a made-up token; revocation cut-offs rely on it.
  if (times.issuedAt !== undefined && times.issuedAt > latestStart) return "token-not-yet-valid";
  return undefined;
}

function shareOne(some: readonly string[], others: readonly string[]): boolean {
  for (const one of some) if (others.includes(one)) return true;
  return false;
}

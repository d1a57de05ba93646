/**
 * What was taken away, looked at with every request: a list that may be behind denies everything, a
 * revoked credential counts no more, and a blocked service lets nobody in.
 *
 * Facts are cached in several places (the connection, what was seen lately, the cache of facts); all
 * of them are asked about here after they were found, so a revocation reaches each at once.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps, StepResult } from "./step.ts";

/** Step: what cannot be known to be good is not let through. */
export function fresh(deciding: Deciding, { revocations }: GateDeps): StepResult {
  return revocations.fresh(deciding.timeMs) ? undefined : "feed-stale";
}

/** For `accept` of `identify.ts`. */
export function refusedByRevocation(
  deciding: Deciding,
  facts: CredentialFacts,
  deps: GateDeps,
): StepResult {
  return revokedFor(deciding, { facts, service: deciding.route?.service }, deps);
}

/** Whether the credential was taken away from where it is presented, or is to be good. */
export function revokedFor(
  deciding: Deciding,
  { facts, service }: { readonly facts: CredentialFacts; readonly service: string | undefined },
  { revocations }: GateDeps,
): "credential-revoked" | undefined {
  const by = revocations.revokedBy(facts, service);
  if (by === undefined) return undefined;
  revocations.denied(by);
  deciding.detail = facts.ancestors === undefined ? DETAILS[by] : DETAILS_OF_DERIVED[by];
  return "credential-revoked";
}

/** Step: a `block` by service keeps everybody out, however good their credentials are. */
export function unblocked(deciding: Deciding, { revocations }: GateDeps): StepResult {
  if (!revocations.blocksService(deciding.route?.service)) return undefined;
  revocations.denied("service");
  return "service-blocked";
}

/** After a wait: what was revoked while it lasted does not come through because it was asked before. */
export function takenAwayMeanwhile(deciding: Deciding, deps: GateDeps): StepResult {
  const { facts, good = facts === undefined ? [] : [facts] } = deciding;
  if (!deps.revocations.fresh(deps.clock.now())) return "feed-stale";
  for (const one of good) {
    const refused = refusedByRevocation(deciding, one, deps);
    if (refused !== undefined) return refused;
    if (one.ended?.() !== true) continue;
    deciding.detail = "it was ended while the request waited";
    return "credential-revoked";
  }
  return unblocked(deciding, deps);
}

/** Never the reason that an operator gave: it is not for everybody who may read the log. */
const DETAILS = {
  id: "revoked by its id",
  subject: "revoked by its subject",
  authenticator: "revoked with all that its authenticator vouches for",
  service: "revoked with all that was issued before a cut-off of the service",
} as const;

const DETAILS_OF_DERIVED = {
  ...DETAILS,
  id: "revoked by its id, or by that of what it was derived from",
  subject: "revoked by its subject, or by that of what it was derived from",
  authenticator:
    "revoked with all that its authenticator, or that of what it was derived from, vouches for",
} as const;

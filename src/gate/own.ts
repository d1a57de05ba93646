/**
 * Requests to our own endpoints (`/.sallyport/…`): no route and no policy decides about them, since whoever logs in
 * has no identity yet. They are canonicalised as all others, refused where nothing can be recorded, and what
 * came of them is on record like every decision.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { CanonicalRequest } from "../model/http.ts";
import type { Authn } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import { begin } from "./begin.ts";
import { canonicalise, isFault } from "./canonicalise.ts";
import { type Deciding, deny, type Denial, type GateInput } from "./decision.ts";
import { peer } from "./peer.ts";
import { recordDecision } from "./record.ts";
import type { GateSnapshot } from "./snapshot.ts";
import type { GateDeps } from "./step.ts";

/** What came of such a request. */
export interface OwnOutcome {
  readonly reason: Reason;
  /** For the operator; holds no secret. */
  readonly detail?: string | undefined;
  /** Whom it is about, where that is known. */
  readonly principal?: Principal | undefined;
  readonly authn?: Authn | undefined;
}

/** A request to an endpoint of ours that may be answered. */
export interface OwnRequest {
  readonly request: CanonicalRequest;
  readonly timeMs: number;
  readonly decisionId: string;
  /** Whether its sender has failed too often of late to be worth another effort. */
  readonly budgetSpent: boolean;
  /** Counts a failure that cost something against its sender. */
  charge(): void;
  /** Whether that credential was taken away, wherever it would be presented. */
  readonly revoked: (facts: CredentialFacts) => boolean;
  /** Once: records what came of it. `audit-unavailable` where that cannot be recorded. */
  conclude(outcome: OwnOutcome): Denial;
}

export function isOwnDenial(result: OwnRequest | Denial): result is Denial {
  return "denied" in result;
}

/** A denial, recorded already, where the request is not one that we answer at all. Never throws. */
export function beginOwn(
  input: GateInput,
  snapshot: GateSnapshot,
  deps: GateDeps,
): OwnRequest | Denial {
  const started = deps.clock.monotonic();
  const deciding = begin(input, snapshot, deps);
  const conclude = (reason: Reason): Denial => concluded(deciding, reason, { deps, started });
  if (!deps.audit.writable()) return conclude("audit-unavailable");
  const refused = peer(deciding);
  if (refused !== undefined) return conclude(refused);
  const request = canonicalise(input, { pathParameters: "refuse" });
  if (isFault(request)) {
    deciding.detail = request.detail;
    return conclude(request.reason);
  }
  deciding.request = request;
  const address = request.clientAddress;
  return {
    request,
    timeMs: deciding.timeMs,
    decisionId: deciding.id,
    budgetSpent: deps.budget.spent(address),
    charge: () => deps.budget.charge(address),
    revoked: (facts) => deps.revocations.revokedBy(facts, undefined) !== undefined,
    conclude({ reason, detail, principal, authn }) {
      deciding.detail = detail;
      deciding.principal = principal;
      deciding.authn = authn;
      return conclude(reason);
    },
  };
}

function concluded(
  deciding: Deciding,
  reason: Reason,
  { deps, started }: { readonly deps: GateDeps; readonly started: number },
): Denial {
  const taken = recordDecision(deciding, reason, deps.audit);
  // A session that is on no record must not begin.
  const told = taken === "refused" ? "audit-unavailable" : reason;
  deps.decided(undefined, told, deps.clock.monotonic() - started, false);
  return deny(deciding, told, taken);
}

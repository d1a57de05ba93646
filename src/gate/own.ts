/**
 * Requests to our own endpoints (`/.sallyport/…`): no route decides about them, and policies only where a key
 * is asked for, since whoever logs in has no identity yet. They are canonicalised as all others, refused where
 * nothing can be recorded or a revocation may be missing, and what came of them is on record like every decision.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { CanonicalRequest } from "../model/http.ts";
import type { IssueQuestion, RecordedKey } from "../model/issued-keys.ts";
import type { Authn } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import { isGranted, type Reason } from "../model/reason.ts";
import { begin } from "./begin.ts";
import { canonicalise, isFault } from "./canonicalise.ts";
import { type Deciding, deny, type Denial, type GateInput } from "./decision.ts";
import { askToIssue, type IssueAnswer } from "./issue.ts";
import { peer } from "./peer.ts";
import { recordDecision } from "./record.ts";
import { fresh } from "./revocation.ts";
import type { GateSnapshot } from "./snapshot.ts";
import { traceDecision, traceEnd } from "./traced.ts";
import type { GateDeps } from "./step.ts";

/** What came of such a request. */
export interface OwnOutcome {
  readonly reason: Reason;
  /** For the operator; holds no secret. */
  readonly detail?: string | undefined;
  /** Whom it is about, where that is known. */
  readonly principal?: Principal | undefined;
  readonly authn?: Authn | undefined;
  /** What is asked for, where that is an action of policies and `issue` was not asked. */
  readonly action?: string | undefined;
  /** What is issued. Without the permit of `issue` for each of its services nothing is: `internal-error`. */
  readonly key?: RecordedKey | undefined;
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
  /**
   * Asks whether a key may be issued: a question for each principal and service, all of which have to
   * permit. What was asked is on record, and of whom. Never throws.
   */
  issue(questions: readonly IssueQuestion[]): IssueAnswer;
  /**
   * With strict durability: settles once what was concluded is on disk, rejects where it cannot be, and
   * until then nothing of it may leave. Of a key that is issued it is at least in the file, whatever the
   * durability: what works for minutes after a death of this process has to be known after it. Undefined:
   * nothing to wait for.
   */
  durable(): Promise<void> | undefined;
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
  const refused = fresh(deciding, deps) ?? peer(deciding);
  if (refused !== undefined) return conclude(refused);
  const request = canonicalise(input, { pathParameters: "refuse" });
  if (isFault(request)) {
    deciding.detail = request.detail;
    return conclude(request.reason);
  }
  deciding.request = request;
  const address = request.clientAddress;
  let permitted: ReadonlySet<string> = NOTHING;
  return {
    request,
    timeMs: deciding.timeMs,
    decisionId: deciding.id,
    budgetSpent: deps.budget.spent(address),
    charge: () => deps.budget.charge(address),
    revoked: (facts) => deps.revocations.revokedBy(facts, undefined) !== undefined,
    issue(questions) {
      const answer = askToIssue(deciding, questions, deps);
      const services = questions.map(({ service }) => service);
      permitted = answer.reason === "permitted" ? new Set(services) : NOTHING;
      return answer;
    },
    durable: () => deps.audit.durable(deciding.own?.key === undefined ? undefined : "written"),
    conclude(outcome) {
      note(deciding, outcome);
      const { key, reason } = outcome;
      if (key === undefined) return conclude(reason);
      if (!isGranted(reason) || !key.audience.every((service) => permitted.has(service))) {
        deciding.detail = "a key was made that nothing permits";
        deps.log.error("a key was made that nothing permits; it is not issued", {
          decision: deciding.id,
        });
        return conclude("internal-error");
      }
      deciding.own = { ...deciding.own, key };
      return conclude(reason);
    },
  };
}

const NOTHING: ReadonlySet<string> = new Set();

/** What the endpoint says counts; where it says nothing, what was found out when policies were asked. */
function note(
  deciding: Deciding,
  { detail = deciding.detail, principal, authn, action }: OwnOutcome,
): void {
  deciding.detail = detail;
  if (principal !== undefined) {
    deciding.principal = principal;
    deciding.authn = authn;
  }
  if (action !== undefined) deciding.own ??= { action };
}

function concluded(
  deciding: Deciding,
  reason: Reason,
  { deps, started }: { readonly deps: GateDeps; readonly started: number },
): Denial {
  traceDecision(deciding, reason, { deps, started });
  const taken = recordDecision(deciding, reason, deps.audit);
  // A session that is on no record must not begin.
  const told = taken === "refused" ? "audit-unavailable" : reason;
  traceEnd(deciding, started, told);
  deps.decided(undefined, told, deps.clock.monotonic() - started, false, deciding.id);
  return deny(deciding, told, taken);
}

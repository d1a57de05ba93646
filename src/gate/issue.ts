/**
 * Whether a key may be issued: policies are asked each question (one for each principal and service), and
 * all have to permit. What is asked beside them is what every request is asked: whether the credential still
 * counts, whether it was taken away, whether the service is blocked. Anything unexpected denies.
 */
import { checkTimes } from "../identity/checks.ts";
import type { CredentialFacts } from "../model/facts.ts";
import { ISSUE_KEY_ACTION, type IssueQuestion } from "../model/issued-keys.ts";
import type { PolicyDecision, PolicyIssue, PolicyRequest } from "../model/policy.ts";
import { principalId } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import { credentialOf } from "./credentials.ts";
import type { Deciding } from "./decision.ts";
import { authnOf, tellWorkload } from "./enter.ts";
import { revokedFor } from "./revocation.ts";
import { seenFields } from "./seen-fields.ts";
import type { GateDeps } from "./step.ts";

/** What came of asking. */
export interface IssueAnswer {
  /** `permitted`, or why not: of the first question that was denied. */
  readonly reason: Reason;
  /** For the operator; holds no secret. */
  readonly detail: string | undefined;
  /** The question that was denied. */
  readonly denied: IssueQuestion | undefined;
}

/** Notes in `deciding` what the record is to say. Never throws. */
export function askToIssue(
  deciding: Deciding,
  questions: readonly IssueQuestion[],
  deps: GateDeps,
): IssueAnswer {
  try {
    return ask(deciding, questions, deps);
  } catch (error) {
    deps.log.error("the gate failed and issues no key", {
      decision: deciding.id,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    const detail = "an error inside the gate; the log has it under the decision id";
    deciding.detail = detail;
    return { reason: "internal-error", detail, denied: undefined };
  }
}

function ask(deciding: Deciding, questions: readonly IssueQuestion[], deps: GateDeps): IssueAnswer {
  const [first] = questions;
  if (first === undefined) throw new TypeError("a key is asked for by one question at least");
  const decisions: PolicyDecision[] = [];
  for (const question of questions) {
    about(deciding, question, questions);
    const reason = refusedFirst(deciding, question, deps) ?? judge(deciding, question, deps);
    if (reason !== undefined) return { reason, detail: deciding.detail, denied: question };
    if (deciding.policy !== undefined) decisions.push(deciding.policy);
  }
  about(deciding, first, questions);
  deciding.policy = together(decisions);
  return { reason: "permitted", detail: undefined, denied: undefined };
}

/** Whom and what the record is about: the question that decides, and all credentials. */
function about(
  deciding: Deciding,
  question: IssueQuestion,
  questions: readonly IssueQuestion[],
): void {
  const { facts, service, scopes } = question;
  deciding.facts = facts;
  deciding.principal = facts.principal;
  deciding.authn = authnOf(facts, deciding.timeMs);
  deciding.policy = undefined;
  deciding.workload = undefined;
  deciding.device = undefined;
  deciding.credentials = [...new Set(questions.map((one) => one.facts))].map((one) =>
    credentialOf(one, "used"),
  );
  const { service: _named, ...asked } = issueOf(question);
  deciding.own = {
    action: ISSUE_KEY_ACTION,
    service,
    scopes,
    issue: { ...asked, questions: questions.length },
  };
}

/** What the endpoint looked at may be as old as a provider's answer: all of it is looked at again. */
function refusedFirst(
  deciding: Deciding,
  { facts, service }: IssueQuestion,
  deps: GateDeps,
): Reason | undefined {
  const { revocations, clock } = deps;
  const nowMs = clock.now();
  if (!revocations.fresh(nowMs)) return "feed-stale";
  const dead =
    (facts.valid() ? checkTimes(facts, nowMs) : "unknown-key") ??
    ended(deciding, facts) ??
    revokedFor(deciding, { facts, service }, deps);
  if (dead !== undefined) {
    deciding.credentials = deciding.credentials.map((one) =>
      one.hash === facts.credentialHash ? credentialOf(facts, "refused") : one,
    );
    return dead;
  }
  const certificate = tellWorkload(deciding, deps);
  deciding.device = facts.device ?? deciding.device;
  if (certificate !== undefined || !revocations.blocksService(service)) return certificate;
  revocations.denied("service");
  return "service-blocked";
}

function ended(deciding: Deciding, facts: CredentialFacts): Reason | undefined {
  if (facts.ended?.() !== true) return undefined;
  deciding.detail = "it was ended while the request waited";
  return "credential-revoked";
}

function judge(
  deciding: Deciding,
  question: IssueQuestion,
  deps: Pick<GateDeps, "shadowed">,
): Reason | undefined {
  const asked = policyRequestOf(deciding, question);
  const { policies, shadow } = deciding.snapshot;
  const decision = policies.decide(asked);
  deciding.policy = decision;
  if (shadow !== undefined) {
    const { outcome, difference } = shadow.compare(asked, decision);
    deciding.shadow ??= difference;
    deps.shadowed?.(outcome);
  }
  return decision.reason === "permitted" ? undefined : decision.reason;
}

function policyRequestOf(deciding: Deciding, question: IssueQuestion): PolicyRequest {
  const { request, authn } = deciding;
  if (request === undefined || authn === undefined) {
    throw new TypeError("a key is asked for by a request of somebody");
  }
  const { facts } = question;
  return {
    principal: facts.principal,
    action: ISSUE_KEY_ACTION,
    // A service is asked about, and no route.
    route: "",
    path: request.path,
    host: request.host,
    method: request.method,
    params: {},
    query: request.query,
    fields: seenFields(request.head),
    ip: request.clientAddress,
    timeMs: deciding.timeMs,
    scopes: question.scopes,
    authn,
    workload: deciding.workload,
    device: deciding.device,
    actor: facts.actor,
    issue: issueOf(question),
  };
}

function issueOf(question: IssueQuestion): PolicyIssue {
  const { service, lifetimeSeconds, binding, grant, narrowed, other } = question;
  return {
    service,
    lifetimeSeconds,
    binding,
    grant,
    as: question.as,
    client: question.clientId,
    narrowed,
    other: other && principalId(other),
  };
}

/** What permitted all of it, each policy once. */
function together(decisions: readonly PolicyDecision[]): PolicyDecision {
  const [first] = decisions;
  if (first === undefined) throw new TypeError("policies were asked");
  if (decisions.length === 1) return first;
  const all = (name: "determining" | "erroring"): readonly string[] => [
    ...new Set(decisions.flatMap((one) => one[name])),
  ];
  return { ...first, determining: all("determining"), erroring: all("erroring") };
}

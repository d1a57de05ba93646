/**
 * Why policies decided about a request as they did, as plain data: what decided, clause by clause, and for
 * a refusal the permits that come nearest with what kept each from applying. The same request and policies
 * give the same bytes.
 */
import { countsForAdmin } from "../cedar/compile-policy.ts";
import { isAdminAction } from "../cedar-names.ts";
import type { EntityUid } from "../cedar/values.ts";
import type { InspectablePolicies } from "../decide/gate-policies.ts";
import type { PlacedPolicy } from "./claused-policies.ts";
import { isScopeClause, type Clause, type ScopeClause } from "./clauses.ts";
import { hideParts, type HiddenParts } from "./hidden-environment.ts";
import {
  clauseOutcome,
  decisionOf,
  outcomeOf,
  type ClauseOutcome,
  type PartialDecision,
  holdsOf,
  type PolicyOutcome,
} from "./partial.ts";
import { MAY, type PartialEvaluation } from "./partial-expression.ts";
import type { PolicyRequest } from "../../model/policy.ts";

export interface ExplainedClause {
  readonly kind: Clause["kind"];
  /** As it stands in the file. */
  readonly text: string;
  readonly line: number;
  readonly column: number;
  /**
   * Whether it holds: of an `unless`, that the text is false. `depends`: on what is not known. `not-reached`:
   * it cannot be evaluated, and need not be, since one before it does not hold.
   */
  readonly holds: ClauseOutcome["holds"];
  readonly error?: string;
  /** What it depends on. */
  readonly on?: readonly string[];
}

export interface ExplainedPolicy {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Of one that a link makes: its template, whose text the clauses have, and where the link is. */
  readonly link?: NonNullable<PlacedPolicy["link"]>;
  /** `@description`, `@owner`, … */
  readonly annotations: Readonly<Record<string, string>>;
  readonly applies: PolicyOutcome["applies"];
  readonly clauses: readonly ExplainedClause[];
}

export interface PolicyExplanation {
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly decision: PartialDecision["decision"];
  /** Undefined where it is not certain. */
  readonly reason?: NonNullable<PartialDecision["reason"]>;
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
  /** Those that may err or not, as far as is known. */
  readonly mayErr: readonly string[];
  /** Those that decide, those that err, and those on which it depends, in the order of the files. */
  readonly policies: readonly ExplainedPolicy[];
  /** Of a refusal: permits, those that lack least first. */
  readonly nearest: readonly ExplainedPolicy[];
}

export interface ExplainableSet {
  /** Every policy of the set, in the order of the files. */
  readonly policies: readonly PlacedPolicy[];
  readonly gate: InspectablePolicies;
}

export interface Question {
  readonly request: PolicyRequest;
  /** Left out: all of the request is known. */
  readonly hidden?: HiddenParts | undefined;
}

const LIMITS = {
  /** Permits that are shown of a refusal: a person reads them. */
  nearest: 3,
} as const;

/** Throws TypeError where the request's route or action is not in the vocabulary. */
export function explainPolicies(set: ExplainableSet, question: Question): PolicyExplanation {
  const { request, hidden } = question;
  const whole = set.gate.environmentOf(request);
  const environment = hidden === undefined ? whole : hideParts(whole, hidden);
  const admin = isAdminAction(request.action);
  // A policy without an action was not validated for the admin API, nor for keys.
  const validated = !admin && request.issue === undefined;
  const run: PartialEvaluation = { environment, options: { validated } };
  const policies = admin ? set.policies.filter(isForAdmin) : set.policies;
  const outcomes = policies.map((policy) => outcomeOf(policy, run));
  const { decision, reason, determining, erroring, mayErr, depends } = decisionOf(outcomes);
  const told = new Set([...determining, ...erroring, ...depends.map(idOf)]);
  return {
    principal: uidText(whole.principal),
    action: uidText(whole.action),
    resource: uidText(whole.resource),
    decision,
    ...(reason === undefined ? {} : { reason }),
    determining,
    erroring,
    mayErr,
    policies: policies.filter(({ id }) => told.has(id)).map((policy) => explained(policy, run)),
    nearest: decision === "permit" ? [] : nearest(policies, told, run),
  };
}

function idOf({ policy }: PolicyOutcome): string {
  return policy.id;
}

function uidText({ type, id }: EntityUid): string {
  return `${type}::${JSON.stringify(id)}`;
}

function isForAdmin({ effect, clauses }: PlacedPolicy): boolean {
  const action = clauses.find((clause): clause is ScopeClause => clause.kind === "action");
  if (action === undefined) throw new TypeError("a policy has an action in its scope");
  return countsForAdmin({ effect, action: action.scope }, ({ id }) => isAdminAction(id));
}

function explained(policy: PlacedPolicy, run: PartialEvaluation): ExplainedPolicy {
  const { id, effect, file, line, column, link, annotations } = policy;
  return {
    id,
    effect,
    file,
    line,
    column,
    ...(link === undefined ? {} : { link }),
    annotations: plain(annotations),
    applies: outcomeOf(policy, run).applies,
    clauses: explainedClauses(policy, run),
  };
}

function plain(annotations: PlacedPolicy["annotations"]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(annotations)
      .filter(([name]) => name !== "id")
      .map(([name, value]) => [name, value ?? ""]),
  );
}

/** Each by itself, so that all that is missing is seen at once. */
function explainedClauses(
  { clauses }: PlacedPolicy,
  run: PartialEvaluation,
): readonly ExplainedClause[] {
  let reached = true;
  return clauses.map((clause) => {
    const { kind, text, line, column } = clause;
    const { may, error, on } = clauseOutcome(clause, run);
    const skipped = !reached && (may & MAY.error) !== 0;
    if ((may & MAY.true) === 0) reached = false;
    const place = { kind, text, line, column };
    if (skipped) return { ...place, holds: "not-reached" };
    return {
      ...place,
      holds: holdsOf(may),
      ...(error === undefined ? {} : { error }),
      ...(on.length === 0 ? {} : { on }),
    };
  });
}

/** Fewest clauses that do not hold first; of these, those of which most hold: they are most about it. */
function nearest(
  policies: readonly PlacedPolicy[],
  shown: ReadonlySet<string>,
  run: PartialEvaluation,
): readonly ExplainedPolicy[] {
  const ranked = policies
    .filter(({ id, effect }) => effect === "permit" && !shown.has(id))
    .map((policy) => ({ policy, lacks: lacksOf(policy, run) }))
    .toSorted(
      (left, right) =>
        left.lacks.not - right.lacks.not ||
        right.lacks.holding - left.lacks.holding ||
        left.policy.order - right.policy.order,
    );
  return ranked.slice(0, LIMITS.nearest).map(({ policy }) => explained(policy, run));
}

interface Lacks {
  /** Clauses that do not hold, or not for certain. */
  readonly not: number;
  /** That hold and say something. */
  readonly holding: number;
}

function lacksOf({ clauses }: PlacedPolicy, run: PartialEvaluation): Lacks {
  let not = 0;
  let holding = 0;
  for (const clause of clauses) {
    if (clauseOutcome(clause, run).may !== MAY.true) not += 1;
    else if (!isScopeClause(clause) || clause.scope.kind !== "all") holding += 1;
  }
  return { not, holding };
}

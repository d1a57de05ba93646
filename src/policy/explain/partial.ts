/**
 * What policies decide where part of the request is not known: yes or no only where nothing that the
 * unknown may be could change it, else `depends`, with the clauses on which it depends. Decides as the gate
 * does: a `forbid` that errs denies (gate-policies.ts).
 */
import type { PolicyDecision } from "../../model/policy.ts";
import type { Scope } from "../cedar/compile-policy.ts";
import type { Environment } from "../cedar/environment.ts";
import type { EntityUid } from "../cedar/values.ts";
import { stepUpOf } from "../step-up.ts";
import { isScopeClause, type Clause, type ClausedPolicy, type ScopeClause } from "./clauses.ts";
import {
  asOutcome,
  evaluatePartly,
  MAY,
  type PartialEvaluation,
  type PartialOptions,
} from "./partial-expression.ts";
import { UnknownRead } from "./unknown.ts";

/** What became of one clause, by itself. `true`: it holds. */
export type Holds = "true" | "false" | "error" | "depends";

export interface ClauseOutcome {
  readonly clause: Clause;
  /** `not-reached`: a clause before it did not hold, whatever the unknown is. */
  readonly holds: Holds | "not-reached";
  /** Which error, where it is certain. */
  readonly error?: string | undefined;
  /** Names of the unknown on which it depends. */
  readonly on: readonly string[];
}

export interface PolicyOutcome {
  readonly policy: ClausedPolicy;
  /** `true`: it applies. */
  readonly applies: Holds;
  /** Bits of MAY: each outcome that is possible. */
  readonly may: number;
  readonly clauses: readonly ClauseOutcome[];
}

export interface PartialDecision {
  readonly decision: "permit" | "deny" | "depends";
  /** Undefined where it is not certain. */
  readonly reason: PolicyDecision["reason"] | undefined;
  /** Ids of those that make it for certain, in the order of the files; others may join them. */
  readonly determining: readonly string[];
  /** Ids of those that err for certain, in the order of the files. */
  readonly erroring: readonly string[];
  /** Ids of those that may err or not. */
  readonly mayErr: readonly string[];
  /** Those that may apply or not, and would count. */
  readonly depends: readonly PolicyOutcome[];
}

/**
 * Decides about one request. `policies` are those that have a say about its action
 * (`countsForAdmin`); their order does not matter.
 */
export function decidePartly(
  policies: readonly ClausedPolicy[],
  environment: Environment,
  options: PartialOptions = {},
): PartialDecision {
  const run = { environment, options };
  return decisionOf(policies.map((policy) => outcomeOf(policy, run)));
}

/** What the outcomes of all policies come to. */
export function decisionOf(outcomes: readonly PolicyOutcome[]): PartialDecision {
  const counting = outcomes
    .filter(({ may }) => may !== MAY.false)
    .toSorted((left, right) => left.policy.order - right.policy.order);
  const failing = counting.filter(({ may }) => (may & MAY.error) !== 0);
  return {
    ...answerOf(counting),
    erroring: idsOf(failing.filter(({ may }) => may === MAY.error)),
    mayErr: idsOf(failing.filter(({ may }) => may !== MAY.error)),
  };
}

type Answer = Omit<PartialDecision, "erroring" | "mayErr">;

/** Of those that may count. */
function answerOf(counting: readonly PolicyOutcome[]): Answer {
  const permits = counting.filter(
    ({ policy, may }) => policy.effect === "permit" && may & MAY.true,
  );
  const forbids = counting.filter(({ policy }) => policy.effect === "forbid");
  // One that applies or errs, whichever: it denies.
  if (forbids.some(({ may }) => (may & MAY.false) === 0)) return denial(forbids);
  if (permits.length === 0) {
    const reason = forbids.length === 0 ? "no-permit" : undefined;
    return { decision: "deny", reason, determining: [], depends: forbids };
  }
  const certain = permits.filter(({ may }) => may === MAY.true);
  const open = [...permits.filter(({ may }) => may !== MAY.true), ...forbids];
  if (forbids.length > 0 || certain.length === 0) {
    return { decision: "depends", reason: undefined, determining: [], depends: open };
  }
  return { decision: "permit", reason: "permitted", determining: idsOf(certain), depends: open };
}

/** What became of a policy, clause by clause. */
export function outcomeOf(policy: ClausedPolicy, run: PartialEvaluation): PolicyOutcome {
  const clauses: ClauseOutcome[] = [];
  let may = 0;
  let reached = true;
  for (const clause of policy.clauses) {
    if (!reached) {
      clauses.push({ clause, holds: "not-reached", on: [] });
      continue;
    }
    const outcome = clauseOutcome(clause, run);
    clauses.push({ clause, holds: holdsOf(outcome.may), error: outcome.error, on: outcome.on });
    may |= outcome.may & (MAY.false | MAY.error);
    reached = (outcome.may & MAY.true) !== 0;
  }
  if (reached) may |= MAY.true;
  return { policy, applies: holdsOf(may), may, clauses };
}

interface Outcome {
  /** `true`: the clause holds. */
  readonly may: number;
  readonly error?: string | undefined;
  readonly on: readonly string[];
}

/** Whether one clause holds, whatever the others do. */
export function clauseOutcome(clause: Clause, run: PartialEvaluation): Outcome {
  if (isScopeClause(clause)) return scopeOutcome(clause, run.environment);
  const possible = evaluatePartly(clause.expression, run);
  const outcome = asOutcome(possible, run);
  const error = outcome === MAY.error ? (possible.error?.message ?? WRONG_TYPE) : undefined;
  const on = isOne(outcome) ? [] : [...new Set(possible.on)];
  if (clause.kind === "when") return { may: outcome, error, on };
  const swapped = (outcome & MAY.error) | flip(outcome);
  return { may: swapped, error, on };
}

/** What a condition that is no boolean comes to. */
const WRONG_TYPE = "a value has the wrong type";

function flip(outcome: number): number {
  return (outcome & MAY.true ? MAY.false : 0) | (outcome & MAY.false ? MAY.true : 0);
}

function isOne(may: number): boolean {
  return (may & (may - 1)) === 0;
}

/** Of bits of MAY. */
export function holdsOf(may: number): Holds {
  if (may === MAY.true) return "true";
  if (may === MAY.false) return "false";
  return may === MAY.error ? "error" : "depends";
}

function scopeOutcome({ scope, kind }: ScopeClause, environment: Environment): Outcome {
  if (scope.kind === "all") return { may: MAY.true, on: [] };
  try {
    const uid = environment[kind];
    const ancestors = (): ReadonlySet<string> => environment.entity(uid)?.ancestors ?? NO_ANCESTORS;
    return inScope(scope, { key: uid.key, type: uid.type, ancestors });
  } catch (error) {
    if (!(error instanceof UnknownRead)) throw error;
    const { entity, name } = error.unknown;
    if (entity === undefined) return { may: EITHER, on: [name] };
    return inScope(scope, { name, type: entity.type, ancestors: () => entity.data.ancestors });
  }
}

const NO_ANCESTORS: ReadonlySet<string> = new Set();
const EITHER = MAY.true | MAY.false;

interface Placed {
  readonly type: string;
  /** Undefined: it may be any of its type. */
  readonly key?: string;
  /** Of one whose key is not known. */
  readonly name?: string;
  readonly ancestors: () => ReadonlySet<string>;
}

function inScope(scope: Exclude<Scope, { kind: "all" }>, placed: Placed): Outcome {
  if (scope.kind === "is")
    return { may: scope.type === placed.type ? MAY.true : MAY.false, on: [] };
  if (scope.kind === "is-in" && scope.type !== placed.type) return { may: MAY.false, on: [] };
  if (scope.kind === "equals") return isItself(scope.uid, placed);
  const targets = scope.kind === "in" ? scope.uids : [scope.uid];
  const outcomes = targets.map((target) => isInside(target, placed));
  const certain = outcomes.find(({ may }) => may === MAY.true);
  return certain ?? outcomes.find(({ may }) => may === EITHER) ?? { may: MAY.false, on: [] };
}

function isItself(target: EntityUid, { key, type, name = type }: Placed): Outcome {
  if (key !== undefined) return { may: key === target.key ? MAY.true : MAY.false, on: [] };
  return target.type === type ? { may: EITHER, on: [name] } : { may: MAY.false, on: [] };
}

function isInside(target: EntityUid, placed: Placed): Outcome {
  const itself = isItself(target, placed);
  if (itself.may === MAY.true) return itself;
  try {
    return placed.ancestors().has(target.key) ? { may: MAY.true, on: [] } : itself;
  } catch (error) {
    if (!(error instanceof UnknownRead)) throw error;
    return { may: EITHER, on: [error.unknown.name] };
  }
}

/** Of forbids of which one denies for certain. */
function denial(forbids: readonly PolicyOutcome[]): Answer {
  const applying = forbids.filter(({ may }) => may === MAY.true);
  const failing = forbids.filter(({ may }) => may === MAY.error);
  const open = forbids.filter(({ may }) => may !== MAY.true && may !== MAY.error);
  const decision = "deny";
  if (applying.length > 0) {
    const reason = reasonOf(applying, failing, open);
    return { decision, reason, determining: idsOf(applying), depends: open };
  }
  const certain = open.length === 0;
  return {
    decision,
    reason: certain ? "policy-error" : undefined,
    determining: certain ? idsOf(failing) : [],
    depends: open,
  };
}

/** Logging in helps where each that applies says so and none failed (gate-policies.ts). */
function reasonOf(
  applying: readonly PolicyOutcome[],
  failing: readonly PolicyOutcome[],
  open: readonly PolicyOutcome[],
): PolicyDecision["reason"] | undefined {
  const helps =
    failing.length === 0 && stepUpOf(applying.map(({ policy }) => policy)) !== undefined;
  if (!helps) return "forbidden";
  return open.length === 0 ? "step-up-required" : undefined;
}

function idsOf(outcomes: readonly PolicyOutcome[]): readonly string[] {
  return outcomes.map(({ policy }) => policy.id);
}

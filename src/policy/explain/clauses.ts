/**
 * A policy as the list of what has to hold so that it applies, each with its text and place: the three
 * constraints of its scope, and what its conditions ask. `when { a && b }` asks that a and that b holds;
 * `unless { a || b }` that neither does. All clauses hold, or the policy does not apply: evaluated in their
 * order, each until one does not hold, they say the same as the policy, errors included.
 *
 * Text and JSON come from two parsers. Where they do not have the same number of terms, the condition is
 * one clause as a whole: a clause is never shown with the answer of another.
 */
import type { StepUp } from "../../model/policy.ts";
import { compilePolicy, type Scope } from "../cedar/compile-policy.ts";
import type { ExpressionJson, PolicyJson, SlotName } from "../cedar/policy-json.ts";
import type { EntityUid } from "../cedar/values.ts";
import type { Place, Statement, Token } from "../load/policy-text.ts";
import { partsOfPolicy, termsOf, type ConditionPart } from "./policy-parts.ts";

export type Clause = ScopeClause | ConditionClause;

interface Written {
  /** As it stands in the file. */
  readonly text: string;
  /** 1-based, the column in UTF-16 code units. */
  readonly line: number;
  readonly column: number;
}

export interface ScopeClause extends Written {
  readonly kind: "principal" | "action" | "resource";
  readonly scope: Scope;
}

export interface ConditionClause extends Written {
  readonly kind: "when" | "unless";
  /** Has to be true where the kind is `when`, false where it is `unless`. */
  readonly expression: ExpressionJson;
}

/** One policy, with all that is needed to say what became of each of its clauses. */
export interface ClausedPolicy {
  readonly id: string;
  /** Place among all policies; determining policies are listed in this order. */
  readonly order: number;
  readonly effect: "permit" | "forbid";
  readonly annotations: Readonly<Record<string, string | null>>;
  /** What a login has to be so that it no longer applies; undefined where it does not say. */
  readonly stepUp: StepUp | undefined;
  /** In the order of evaluation: principal, action, resource, then the conditions. */
  readonly clauses: readonly Clause[];
}

export interface PolicyText {
  readonly id: string;
  readonly order: number;
  readonly json: PolicyJson;
  readonly statement: Statement;
  /** Of the file that has the statement. */
  readonly placeOf: (offset: number) => Place;
  /** What fills the slots of a template. */
  readonly slots?: ReadonlyMap<SlotName, EntityUid>;
}

/** Throws TypeError for a template whose slot is not filled. */
export function clausedPolicy(policy: PolicyText): ClausedPolicy {
  const { id, order, json, slots } = policy;
  const compiled = compilePolicy(json, { id, order, ...(slots === undefined ? {} : { slots }) });
  const parts = partsOfPolicy(policy.statement.tokens);
  const written = (tokens: readonly Token[] | undefined): Written => writtenAt(policy, tokens);
  const scope = (["principal", "action", "resource"] as const).map((kind, index): ScopeClause => ({
    kind,
    scope: compiled[kind],
    ...written(parts.scope[index]),
  }));
  const conditions = json.conditions.flatMap((condition, index) =>
    conditionClauses(condition, parts.conditions[index], written),
  );
  const { effect, annotations = {} } = json;
  const clauses = [...scope, ...conditions];
  return { id, order, effect, annotations, stepUp: compiled.stepUp, clauses };
}

export function isScopeClause(clause: Clause): clause is ScopeClause {
  return clause.kind !== "when" && clause.kind !== "unless";
}

/** The terms that an operator joins at the top of an expression, in the order of evaluation. */
export function termsOfExpression(
  expression: ExpressionJson,
  operator: "&&" | "||",
): readonly ExpressionJson[] {
  const terms: ExpressionJson[] = [];
  // From the right, since chains nest to the left and may be a thousand long.
  const waiting = [expression];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const joined = next[operator] as Readonly<Record<string, ExpressionJson>> | undefined;
    const { left, right } = joined ?? {};
    if (left === undefined || right === undefined) terms.push(next);
    else waiting.push(left, right);
  }
  return terms.toReversed();
}

function conditionClauses(
  { kind, body }: PolicyJson["conditions"][number],
  part: ConditionPart | undefined,
  written: (tokens: readonly Token[] | undefined) => Written,
): readonly ConditionClause[] {
  const operator = kind === "when" ? "&&" : "||";
  const expressions = termsOfExpression(body, operator);
  const texts = part === undefined ? [] : termsOf(part.body, operator);
  if (expressions.length !== texts.length) {
    return [{ kind, expression: body, ...written(part?.body) }];
  }
  return expressions.map((expression, index) => ({
    kind,
    expression,
    ...written(texts[index]),
  }));
}

/** The whole statement where it is not known where in it. */
function writtenAt({ statement, placeOf }: PolicyText, tokens?: readonly Token[]): Written {
  const last = tokens?.at(-1);
  const start = tokens?.[0]?.start ?? statement.start;
  const end = last === undefined ? undefined : last.start + last.text.length - statement.start;
  return { text: statement.text.slice(start - statement.start, end), ...placeOf(start) };
}

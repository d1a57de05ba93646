/** A loaded policy as findings look at it: its scope, its conditions in parts, and what it names. */
import { compileScope, type Scope } from "../cedar/compile-policy.ts";
import type { ExpressionJson, PolicyJson, UidJson } from "../cedar/policy-json.ts";
import { EntityUid } from "../cedar/values.ts";
import type { LoadedPolicy } from "../load/load-policies.ts";
import type { FindingPlace } from "./finding.ts";

export interface PolicyFacts {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  /** The @id of the template of which a link makes it. */
  readonly template: string | undefined;
  readonly json: PolicyJson;
  readonly principal: Scope;
  readonly action: Scope;
  readonly resource: Scope;
  /**
   * What all has to hold so that it applies, each as text: `a && b` are two of them, and so are `a || b`
   * of an `unless`. Equal texts are equal expressions.
   */
  readonly conjuncts: ReadonlySet<string>;
  /** Entities that scope and conditions name. */
  readonly named: readonly EntityUid[];
  readonly place: FindingPlace;
}

/** A template, which has no scope before it is filled. */
export type TemplateFacts = Pick<PolicyFacts, "id" | "json" | "place">;

export function templateFacts({ id, json, file, line, column }: LoadedPolicy): TemplateFacts {
  return { id, json: JSON.parse(json) as PolicyJson, place: { file, line, column } };
}

export function policyFacts(policy: LoadedPolicy): PolicyFacts {
  const { id, json: text, file, line, column, link } = policy;
  const json = JSON.parse(text) as PolicyJson;
  return {
    id,
    effect: json.effect,
    template: link?.template,
    json,
    principal: compileScope(json.principal),
    action: compileScope(json.action),
    resource: compileScope(json.resource),
    conjuncts: new Set(json.conditions.flatMap(({ kind, body }) => conjunctsOf(kind, body))),
    named: [...entitiesIn([json.principal, json.action, json.resource, json.conditions])],
    place: { file, line, column },
  };
}

function conjunctsOf(kind: "when" | "unless", body: ExpressionJson): string[] {
  const operator = kind === "when" ? "&&" : "||";
  const found: string[] = [];
  const waiting = [body];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const operands = next[operator] as ExpressionJson | undefined;
    if (operands === undefined) found.push(`${kind} ${JSON.stringify(next)}`);
    else waiting.push(operands["left"] as ExpressionJson, operands["right"] as ExpressionJson);
  }
  return found;
}

/** Every `{ type, id }` in a scope or an expression, with and without `__entity` around it. */
function* entitiesIn(json: unknown): Generator<EntityUid> {
  for (const one of expressionsIn(json)) {
    const { type, id } = one as Partial<UidJson>;
    if (typeof type === "string" && typeof id === "string") yield new EntityUid(type, id);
  }
}

/** Every expression within one, itself first. */
export function* expressionsIn(json: unknown): Generator<ExpressionJson> {
  const waiting = [json];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null) continue;
    if (!Array.isArray(next)) yield next as ExpressionJson;
    waiting.push(...(Object.values(next) as unknown[]));
  }
}

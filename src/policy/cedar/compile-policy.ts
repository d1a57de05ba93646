/** Turns one policy of the official engine's JSON into its scope, for the index, and its condition. */
import type { StepUp } from "../../model/policy.ts";
import { compileExpression } from "./compile-expression.ts";
import type { Environment, Evaluate } from "./environment.ts";
import { asBoolean } from "./operators.ts";
import {
  uidFromJson,
  type EntityUidJson,
  type PolicyJson,
  type ScopeJson,
  type SlotName,
} from "./policy-json.ts";
import { readStepUp, STEP_UP_ANNOTATION } from "../step-up.ts";
import type { EntityUid } from "./values.ts";

/** What the head of a policy asks of principal, action or resource. */
export type Scope =
  | { readonly kind: "all" }
  | { readonly kind: "equals"; readonly uid: EntityUid }
  | { readonly kind: "in"; readonly uids: readonly EntityUid[] }
  | { readonly kind: "is"; readonly type: string }
  | { readonly kind: "is-in"; readonly type: string; readonly uid: EntityUid };

export interface CompiledPolicy {
  readonly id: string;
  /** Place among all policies; determining policies are listed in this order. */
  readonly order: number;
  readonly effect: "permit" | "forbid";
  readonly principal: Scope;
  readonly action: Scope;
  readonly resource: Scope;
  /** What a login has to be so that it no longer applies; undefined where it does not say. */
  readonly stepUp: StepUp | undefined;
  /** Whether its conditions hold; the scope is the index's to check. Throws an EvaluationError. */
  readonly applies: (environment: Environment) => boolean;
}

export interface PolicyIdentity {
  readonly id: string;
  readonly order: number;
  /** What fills the slots of a template. */
  readonly slots?: ReadonlyMap<SlotName, EntityUid>;
}

/** Throws TypeError for what it does not know, and for a template whose slot is not filled. */
export function compilePolicy(json: PolicyJson, identity: PolicyIdentity): CompiledPolicy {
  const slots = identity.slots ?? new Map<SlotName, EntityUid>();
  return {
    id: identity.id,
    order: identity.order,
    effect: json.effect,
    principal: compileScope(json.principal, slots),
    action: compileScope(json.action, slots),
    resource: compileScope(json.resource, slots),
    stepUp: stepUpIn(json),
    applies: compileConditions(json.conditions),
  };
}

/** One that is on a `permit`, or cannot be read, was refused at load; here it means nothing. */
function stepUpIn({ effect, annotations }: PolicyJson): StepUp | undefined {
  const text = annotations?.[STEP_UP_ANNOTATION];
  return effect === "permit" || typeof text !== "string" ? undefined : readStepUp(text);
}

/** Whether an entity that has these ancestors is within the scope. */
export function inScope(
  scope: Scope,
  uid: EntityUid,
  ancestors: ReadonlySet<string> | undefined,
): boolean {
  const within = (above: EntityUid): boolean =>
    uid.key === above.key || ancestors?.has(above.key) === true;
  if (scope.kind === "all") return true;
  if (scope.kind === "equals") return uid.key === scope.uid.key;
  if (scope.kind === "in") return scope.uids.some(within);
  return uid.type === scope.type && (scope.kind === "is" || within(scope.uid));
}

/**
 * Whether the policy has a say about the admin API. A `permit` has one only where its scope names an
 * admin action or a group of them: one that was written for traffic (`permit (principal, action,
 * resource)`) must not open the operators' door, whatever it says further on. Each `forbid` has one.
 */
export function countsForAdmin(
  { effect, action }: Pick<CompiledPolicy, "effect" | "action">,
  isAdminAction: (uid: EntityUid) => boolean,
): boolean {
  if (effect === "forbid") return true;
  if (action.kind === "equals" || action.kind === "is-in") return isAdminAction(action.uid);
  return action.kind === "in" && action.uids.some(isAdminAction);
}

type Slots = ReadonlyMap<SlotName, EntityUid>;
const NO_SLOTS: Slots = new Map();
type Target = { readonly entity?: EntityUidJson; readonly slot?: SlotName };

/** Throws TypeError for a slot that is not filled. */
export function compileScope(json: ScopeJson, slots: Slots = NO_SLOTS): Scope {
  if (json.op === "All") return { kind: "all" };
  if (json.op === "is") {
    if (json.in === undefined) return { kind: "is", type: json.entity_type };
    return { kind: "is-in", type: json.entity_type, uid: target(json.in, slots) };
  }
  if (json.op === "==") return { kind: "equals", uid: target(json, slots) };
  return { kind: "in", uids: json.entities?.map(uidFromJson) ?? [target(json, slots)] };
}

function target(json: Target, slots: Slots): EntityUid {
  if (json.entity !== undefined) return uidFromJson(json.entity);
  const uid = json.slot === undefined ? undefined : slots.get(json.slot);
  if (uid === undefined) throw new TypeError(`slot ${json.slot ?? ""} is not filled`);
  return uid;
}

function compileConditions(conditions: PolicyJson["conditions"]): CompiledPolicy["applies"] {
  const compiled = conditions.map(({ kind, body }) => ({
    wanted: kind === "when",
    evaluate: compileExpression(body),
  }));
  const [only] = compiled;
  if (only === undefined) return () => true;
  if (compiled.length === 1) return single(only.evaluate, only.wanted);
  return (environment) => {
    for (const { wanted, evaluate } of compiled) {
      if (asBoolean(evaluate(environment)) !== wanted) return false;
    }
    return true;
  };
}

function single(evaluate: Evaluate, wanted: boolean): CompiledPolicy["applies"] {
  if (wanted) return (environment) => asBoolean(evaluate(environment));
  return (environment) => !asBoolean(evaluate(environment));
}

/**
 * Finds the policies whose scope can match, so that a decision costs what those cost and not what all
 * policies cost.
 *
 * A policy lies in one slot by its resource scope, within it in one by its action scope (or in one for each
 * action, where it lists several),
 * within that in one slot by its principal scope. What a request's action and resource can reach is the
 * same for all principals, so callers keep the answer of `groups`.
 */
import { inScope, type CompiledPolicy, type Scope } from "./compile-policy.ts";
import type { Environment } from "./environment.ts";
import type { EntityUid } from "./values.ts";

/** An entity and everything that it is in. */
export interface PlacedEntity {
  readonly uid: EntityUid;
  /** Keys of its ancestors, transitively, without itself. */
  readonly ancestors: ReadonlySet<string>;
}

/** Policies of one resource slot and action slot, by principal. */
export interface PolicyGroup {
  readonly any: readonly CompiledPolicy[];
  /** By key of the principal. */
  readonly equals: ReadonlyMap<string, readonly CompiledPolicy[]>;
  /** By key of what the principal has to be, or to be in. */
  readonly within: ReadonlyMap<string, readonly CompiledPolicy[]>;
  /** By entity type of the principal. */
  readonly type: ReadonlyMap<string, readonly CompiledPolicy[]>;
}

export class PolicyIndex {
  readonly #byResource = new Map<string, Map<string, MutableGroup>>();
  readonly #actions: readonly PlacedEntity[] | undefined;
  readonly #principalTargets = new Set<string>();

  /** With `actions`, a scope `action in …` is resolved here against them, which then are all there are. */
  constructor(policies: readonly CompiledPolicy[], actions?: readonly PlacedEntity[]) {
    this.#actions = actions;
    for (const policy of policies) this.add(policy);
  }

  add(policy: CompiledPolicy): void {
    const resource = slotOf(policy.resource);
    const byAction = entry(this.#byResource, resource, () => new Map<string, MutableGroup>());
    const checked = withRemainingChecks(policy, this.#actions !== undefined);
    for (const action of this.#actionSlots(policy.action)) {
      place(entry(byAction, action, emptyGroup), checked);
    }
    if ("uid" in policy.principal) this.#principalTargets.add(policy.principal.uid.key);
    if ("uids" in policy.principal) {
      for (const uid of policy.principal.uids) this.#principalTargets.add(uid.key);
    }
  }

  /** Whether any policy's scope asks that the principal is in this entity. */
  asksForPrincipalIn(key: string): boolean {
    return this.#principalTargets.has(key);
  }

  /** The groups that a request with this action and resource can reach; no policy is in two of them. */
  groups(action: PlacedEntity, resource: PlacedEntity): readonly PolicyGroup[] {
    const found: PolicyGroup[] = [];
    for (const resourceSlot of slotsOf(resource)) {
      const byAction = this.#byResource.get(resourceSlot);
      if (byAction === undefined) continue;
      for (const actionSlot of slotsOf(action)) {
        const group = byAction.get(actionSlot);
        if (group !== undefined) found.push(group);
      }
    }
    return found;
  }

  #actionSlots(scope: Scope): string[] {
    if (scope.kind === "all" || scope.kind === "equals") return [slotOf(scope)];
    if (this.#actions === undefined) return ["*"];
    // Not one slot for each of the operations that may be in it: there may be hundreds.
    if (scope.kind === "in" && scope.uids.length === 1) return [slotOf(scope)];
    return this.#actions
      .filter(({ uid, ancestors }) => inScope(scope, uid, ancestors))
      .map(({ uid }) => `=${uid.key}`);
  }
}

interface MutableGroup {
  readonly any: CompiledPolicy[];
  readonly equals: Map<string, CompiledPolicy[]>;
  readonly within: Map<string, CompiledPolicy[]>;
  readonly type: Map<string, CompiledPolicy[]>;
}

function emptyGroup(): MutableGroup {
  return { any: [], equals: new Map(), within: new Map(), type: new Map() };
}

function entry<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

function place(group: MutableGroup, policy: CompiledPolicy): void {
  const scope = policy.principal;
  const [first] = scope.kind === "in" ? scope.uids : [];
  if (scope.kind === "equals") entry(group.equals, scope.uid.key, () => []).push(policy);
  else if (scope.kind === "is") entry(group.type, scope.type, () => []).push(policy);
  else if (scope.kind === "is-in") entry(group.within, scope.uid.key, () => []).push(policy);
  else if (first !== undefined) entry(group.within, first.key, () => []).push(policy);
  else group.any.push(policy);
}

function slotOf(scope: Scope): string {
  if (scope.kind === "all") return "*";
  if (scope.kind === "equals") return `=${scope.uid.key}`;
  if (scope.kind === "is") return `:${scope.type}`;
  if (scope.kind === "is-in") return `<${scope.uid.key}`;
  return `<${scope.uids[0]?.key ?? ""}`;
}

function slotsOf({ uid, ancestors }: PlacedEntity): string[] {
  const above = [...ancestors].map((key) => `<${key}`);
  return ["*", `=${uid.key}`, `:${uid.type}`, `<${uid.key}`, ...above];
}

/** What the slots do not prove is asked before the conditions. */
function withRemainingChecks(policy: CompiledPolicy, actionsResolved: boolean): CompiledPolicy {
  const checks: ((environment: Environment) => boolean)[] = [];
  const { principal, action, resource, applies } = policy;
  if (principal.kind === "is-in") checks.push((env) => env.principal.type === principal.type);
  if (resource.kind === "is-in") checks.push((env) => env.resource.type === resource.type);
  if (!actionsResolved && action.kind !== "all" && action.kind !== "equals") {
    checks.push((env) => inScope(action, env.action, env.entity(env.action)?.ancestors));
  }
  if (checks.length === 0) return policy;
  return { ...policy, applies: (env) => checks.every((check) => check(env)) && applies(env) };
}

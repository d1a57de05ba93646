/**
 * Whether an answer is certain although a value that policies read is not in the record: one policy may
 * permit whatever it is, or none. Costs as much as hundreds of plain decisions, so it is asked only where
 * one could not be made.
 */
import type { Principal } from "../../model/principal.ts";
import { countsForAdmin, inScope, type Scope } from "../cedar/compile-policy.ts";
import { isAdminAction } from "../cedar-names.ts";
import type { Environment } from "../cedar/environment.ts";
import type { EntityUid } from "../cedar/values.ts";
import type { InspectablePolicies } from "../decide/gate-policies.ts";
import { isScopeClause, type ClausedPolicy } from "../explain/clauses.ts";
import { hideParts } from "../explain/hidden-environment.ts";
import { decidePartly } from "../explain/partial.ts";
import type { RecordedRequest } from "../explain/recorded-request.ts";

/** What is told of an answer that the record by itself does not give. */
export interface Settled {
  /** Undefined: it depends. */
  readonly answer: SettledAnswer | undefined;
  /** On what. */
  readonly dependsOn: readonly string[];
}

export interface SettledAnswer {
  readonly permits: boolean;
  /** Undefined where it could be one or another. */
  readonly reason: string | undefined;
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
  /** Whether it is certain that these are all that determine and err. */
  readonly isWhole: boolean;
}

export interface SettledSet {
  /** All of the set, in the order of the files. */
  readonly policies: readonly ClausedPolicy[];
  readonly gate: InspectablePolicies;
}

export type Settle = (request: RecordedRequest) => Settled;

export function createSettle(set: SettledSet): Settle {
  const inReach = createReach(set.policies);
  return (request) => {
    const { principal, action, hidden } = request;
    const whole = set.gate.environmentOf(request);
    const { decision, depends, mayErr, ...told } = decidePartly(
      inReach(principal, action, whole),
      hideParts(whole, hidden),
      // A policy without an action was not validated for the admin API, nor for keys.
      { validated: !isAdminAction(action) && request.issue === undefined },
    );
    if (decision === "depends") {
      const names = depends.flatMap(({ clauses }) => clauses.flatMap(({ on }) => on));
      return { answer: undefined, dependsOn: [...new Set(names)].toSorted() };
    }
    const isWhole = depends.length === 0 && mayErr.length === 0;
    return { answer: { permits: decision === "permit", ...told, isWhole }, dependsOn: [] };
  };
}

/** Those whose scope takes the request; the same for all requests of a principal to one place. */
function createReach(
  policies: readonly ClausedPolicy[],
): (principal: Principal, action: string, environment: Environment) => readonly ClausedPolicy[] {
  const known = new WeakMap<Principal, Map<string, readonly ClausedPolicy[]>>();
  return (principal, action, environment) => {
    const places = known.get(principal) ?? new Map<string, readonly ClausedPolicy[]>();
    known.set(principal, places);
    const place = `${action} ${environment.resource.key}`;
    let found = places.get(place);
    if (found === undefined) {
      found = policies.filter((policy) => reaches(policy, action, environment));
      places.set(place, found);
    }
    return found;
  };
}

function reaches(policy: ClausedPolicy, action: string, environment: Environment): boolean {
  const scopes = policy.clauses.filter(isScopeClause);
  const own = scopes.find(({ kind }) => kind === "action")?.scope;
  if (own === undefined) throw new TypeError("a policy has an action in its scope");
  if (
    isAdminAction(action) &&
    !countsForAdmin({ effect: policy.effect, action: own }, ({ id }) => isAdminAction(id))
  ) {
    return false;
  }
  return scopes.every(({ kind, scope }) => takes(scope, environment[kind], environment));
}

function takes(scope: Scope, uid: EntityUid, environment: Environment): boolean {
  return inScope(scope, uid, environment.entity(uid)?.ancestors);
}

/** Step: asks the compiled policies about this principal, action, resource and context. */
import type { Fields, RequestHead } from "../model/http.ts";
import type { PolicyRequest } from "../model/policy.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps, StepResult } from "./step.ts";

export function authorize(deciding: Deciding, deps: Pick<GateDeps, "shadowed">): StepResult {
  const { request, route, principal, authn } = deciding;
  if (
    request === undefined ||
    route === undefined ||
    principal === undefined ||
    authn === undefined
  ) {
    throw new TypeError("authorize comes after identify");
  }
  const { policies, shadow } = deciding.snapshot;
  const asked: PolicyRequest = {
    principal,
    action: route.action ?? request.method,
    route: route.name,
    path: request.path,
    host: request.host,
    method: request.method,
    params: deciding.params,
    query: request.query,
    fields: seenFields(request.head),
    ip: request.clientAddress,
    timeMs: deciding.timeMs,
    scopes: deciding.facts?.scopes ?? NO_SCOPES,
    authn,
    workload: deciding.workload,
    device: deciding.device,
    actor: deciding.facts?.actor,
  };
  const decision = policies.decide(asked);
  deciding.policy = decision;
  if (shadow !== undefined) {
    // After the decision, of which it sees nothing but the answer: it can change nothing.
    const { outcome, difference } = shadow.compare(asked, decision);
    deciding.shadow = difference;
    deps.shadowed?.(outcome);
  }
  return decision.reason === "permitted" ? undefined : decision.reason;
}

/**
 * What policies may see of the fields: none that the service will not get because the caller had
 * them dropped (`Connection` names them). A policy would decide on a value that nobody acts on.
 */
function seenFields({ fields, connectionOptions }: RequestHead): Fields {
  if (connectionOptions === undefined) return fields;
  return fields.filter((_, index) => !connectionOptions.includes(fields[index & ~1] ?? ""));
}

const NO_SCOPES: readonly string[] = Object.freeze([]);

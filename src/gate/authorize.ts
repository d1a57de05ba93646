/** Step: asks the compiled policies about this principal, action, resource and context. */
import type { PolicyRequest } from "../model/policy.ts";
import type { Deciding } from "./decision.ts";
import { seenFields } from "./seen-fields.ts";
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
    action: deciding.operation?.action ?? route.action ?? request.method,
    route: route.name,
    path: request.path,
    servicePath: deciding.servicePath,
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
    body: deciding.inspected?.body,
    rpc: deciding.inspected?.rpc,
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

const NO_SCOPES: readonly string[] = Object.freeze([]);

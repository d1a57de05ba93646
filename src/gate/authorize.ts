/** Step: asks the compiled policies about this principal, action, resource and context. */
import type { Deciding } from "./decision.ts";
import type { StepResult } from "./step.ts";

export function authorize(deciding: Deciding): StepResult {
  const { request, route, principal, authn } = deciding;
  if (
    request === undefined ||
    route === undefined ||
    principal === undefined ||
    authn === undefined
  ) {
    throw new TypeError("authorize comes after identify");
  }
  deciding.policy = deciding.snapshot.policies.decide({
    principal,
    action: request.method,
    route: route.name,
    path: request.path,
    host: request.host,
    method: request.method,
    params: deciding.params,
    query: request.query,
    fields: request.head.fields,
    ip: request.peer.address,
    timeMs: deciding.timeMs,
    scopes: deciding.facts?.scopes ?? NO_SCOPES,
    authn,
  });
  return deciding.policy.reason === "permitted" ? undefined : deciding.policy.reason;
}

const NO_SCOPES: readonly string[] = Object.freeze([]);

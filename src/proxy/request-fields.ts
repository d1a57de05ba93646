/**
 * The header fields that a service receives: drop what is hop-by-hop, strip every name in which we
 * speak and the caller's credentials, then set (design section 5, rule 2).
 */
import type { Permit } from "../gate/decision.ts";
import { spansOf, traceparentOf } from "../telemetry/traces/request-trace.ts";
import { HOP_BY_HOP, isEndToEndName } from "../wire/fields.ts";
import { forwardedFields } from "../wire/forwarded.ts";
import { isIdentityName } from "../wire/identity-fields.ts";
import { withoutOwnCookies } from "../wire/own-cookies.ts";
import { createFieldNames, DROPPED } from "./field-names.ts";
import type { ForwardPlan } from "./plan.ts";

/** Makes the function that builds the fields for one route. `newTraceparent` serves requests that are of no trace. */
export function createRequestFields(
  plan: ForwardPlan,
  newTraceparent: () => string,
): (permit: Permit) => string[] {
  const nameOf = createFieldNames(plan.request, (name) => mayPass(name, plan));
  const constant = [...plan.request.set, ...plan.request.add];
  const { host, forwardCredentials, ownCookies } = plan;

  return (permit) => {
    const { request } = permit;
    const { fields, connectionOptions } = request.head;
    const result = ["host", host ?? request.authority];
    const { trace } = permit;
    const tracestate = typeof trace === "object" ? trace.tracestate : undefined;
    let stated: string | undefined;
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index] as string;
      const kept = nameOf(name);
      if (kept === DROPPED) continue;
      // What the route does not list was ignored, not verified: it is no credential to pass on.
      if (forwardCredentials && CREDENTIAL_FIELDS.has(name) && !isVerified(name, permit)) continue;
      if (connectionOptions?.includes(name) === true && !isEndToEndName(name)) continue;
      if (name === "traceparent") continue;
      if (name === "tracestate") {
        stated = kept;
        continue;
      }
      if (ownCookies && name === "cookie") {
        const cookies = withoutOwnCookies(fields[index + 1] as string);
        if (cookies !== undefined) result.push(kept, cookies);
        continue;
      }
      result.push(kept, fields[index + 1] as string);
    }
    // Of a trace that is recorded each attempt has its own, which is written with it.
    if (spansOf(trace) === undefined) {
      result.push("traceparent", traceparentOf(trace) ?? newTraceparent());
    }
    // What could be read of it, once, and not where the route or the caller drops it.
    if (stated !== undefined && tracestate !== undefined) result.push(stated, tracestate);
    result.push(
      ...forwardedFields({
        address: request.peer.address,
        scheme: request.scheme,
        authority: request.authority,
        client: request.forwarded,
      }),
      "x-request-id",
      permit.requestId,
      "sallyport-decision",
      permit.decisionId,
      ...constant,
    );
    return result;
  };
}

function isVerified(name: string, { tokenScheme }: Permit): boolean {
  return name === "dpop" ? tokenScheme === "dpop" : tokenScheme !== undefined;
}

/** In which a caller proves who it is, on any route; fields of API keys are removed by the plan. */
const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set(["authorization", "dpop"]);

function mayPass(name: string, plan: ForwardPlan): boolean {
  return !(
    HOP_BY_HOP.has(name) ||
    name === "host" || // written anew from the canonical request
    name === "x-request-id" || // kept or made by the gate
    (!plan.forwardCredentials && CREDENTIAL_FIELDS.has(name)) ||
    isIdentityName(name)
  );
}

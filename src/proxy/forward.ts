/** Sends a permitted request to its service. Takes a `Permit` and nothing else. */
import type { Exchange, UpstreamRequest } from "../http/exchange.ts";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { bodyWorks } from "./body-rules.ts";
import { forwardStaged } from "./body-stage.ts";
import type { ForwardDeps, ForwardRoute } from "./forward-route.ts";
import { Forwarding } from "./forwarding.ts";
import { Unfit } from "./render.ts";

/** Why a permitted request cannot be sent; nothing of it was. */
export interface Unsent {
  readonly reason: Reason;
  /** For the operator; holds no value. */
  readonly detail: string;
}

/** Undefined once the request is on its way. */
export function forward(
  permit: Permit,
  { exchange, route, deps }: { exchange: Exchange; route: ForwardRoute; deps: ForwardDeps },
): Unsent | undefined {
  const { plan } = route;
  const { request } = permit;
  const path = plan.rewrite === undefined ? request.path : plan.rewrite(request.path);
  if (path === undefined) return AMBIGUOUS;
  const fields = route.requestFields(permit);
  let { query } = request;
  let answerFields: Fields | undefined;
  if (route.prepare !== undefined) {
    const prepared = route.prepare(permit);
    if (prepared instanceof Unfit) return { reason: "unfit-value", detail: prepared.detail };
    fields.push(...prepared.requestFields);
    query = prepared.query;
    answerFields = prepared.responseFields;
  }
  const works = route.bodies === undefined ? undefined : bodyWorks(route.bodies, permit);
  if (works instanceof Unfit) return { reason: "unfit-value", detail: works.detail };
  const upstreamRequest: UpstreamRequest = {
    method: request.method,
    target: query === undefined ? path : `${path}?${query}`,
    fields,
    connectTimeoutMs: plan.connectTimeoutMs,
    responseTimeoutMs: plan.responseTimeoutMs,
    totalTimeoutMs: plan.totalTimeoutMs,
    idleTimeoutMs: plan.idleTimeoutMs,
    maxBodyBytes: plan.maxBodyBytes,
    hashKey: plan.hashKey === undefined ? undefined : plan.hashKey(permit),
    requestTrailers: route.requestTrailers,
    responseTrailers: route.responseTrailers,
    websocketKey: permit.websocketKey,
    lifetimeMs: plan.lifetimeMs,
  };
  const forwarding = new Forwarding(permit, { exchange, route, deps, answerFields });
  const { upstream } = plan;
  const forwarded =
    works === undefined
      ? upstream.forward(exchange, upstreamRequest, forwarding)
      : forwardStaged({
          exchange,
          upstream,
          request: upstreamRequest,
          observer: forwarding,
          ...works,
        });
  forwarding.began(forwarded);
  return undefined;
}

/** For a path that was made anew. */
export const AMBIGUOUS: Unsent = Object.freeze({
  reason: "ambiguous-path",
  detail: "the rewritten path could be read in two ways",
});

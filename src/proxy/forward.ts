/** Sends a permitted request to its service. Takes a `Permit` and nothing else. */
import type { Exchange, UpstreamRequest } from "../http/exchange.ts";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import { spansOf } from "../telemetry/traces/request-trace.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import { bodyWorks } from "./body-rules.ts";
import { forwardStaged } from "./body-stage.ts";
import type { ForwardDeps, ForwardRoute } from "./forward-route.ts";
import { Forwarding } from "./forwarding.ts";
import { passDeadline } from "./grpc-deadline.ts";
import { GrpcForwarding } from "./grpc-forwarding.ts";
import { Unfit } from "./render.ts";
import type { Unsent } from "./unsent.ts";

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
  if (plan.identity !== undefined) {
    const identity = plan.identity(permit);
    if ("reason" in identity) return identity;
    for (let index = 0; index < identity.length; index++) fields.push(identity[index] as string);
  }
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
  const grpc = isGrpcCall(request.head);
  const deadlineMs = grpc
    ? passDeadline(fields, { permit, exchange, clock: deps.clock })
    : undefined;
  if (typeof deadlineMs === "object") return deadlineMs;
  const upstreamRequest: UpstreamRequest = {
    method: request.method,
    target: query === undefined ? path : `${path}?${query}`,
    fields,
    connectTimeoutMs: plan.connectTimeoutMs,
    deadlineMs,
    responseTimeoutMs: plan.responseTimeoutMs,
    totalTimeoutMs: plan.totalTimeoutMs,
    idleTimeoutMs: plan.idleTimeoutMs,
    maxBodyBytes: plan.maxBodyBytes,
    hashKey: plan.hashKey === undefined ? undefined : plan.hashKey(permit),
    requestTrailers: route.requestTrailers,
    responseTrailers: route.responseTrailers,
    websocketKey: permit.websocketKey,
    lifetimeMs: plan.lifetimeMs,
    spans: spansOf(permit.trace)?.attempts({
      method: request.method,
      path,
      service: permit.route.service,
    }),
  };
  const given = { exchange, route, deps, answerFields };
  const forwarding = grpc ? new GrpcForwarding(permit, given) : new Forwarding(permit, given);
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

/** Sends a permitted request to its service. Takes a `Permit` and nothing else. */
import type {
  Exchange,
  ForwardObserver,
  ForwardOutcome,
  UpstreamRequest,
} from "../http/exchange.ts";
import type { Challenge } from "../identity/challenge.ts";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import type { AuditLog } from "../model/records.ts";
import type { Clock } from "../model/ports.ts";
import type { Cors } from "./cors.ts";
import type { ForwardPlan } from "./plan.ts";
import type { Prepare } from "./prepare.ts";
import { problemResponse } from "./problem.ts";
import { Unfit } from "./render.ts";

export interface ForwardDeps {
  readonly clock: Clock;
  readonly audit: AuditLog;
  readonly completed: (route: string, outcome: ForwardOutcome, decisionId: string) => void;
}

/** What the answers of a route have in common, whoever gives them. */
export interface RouteAnswers {
  readonly challenge: Challenge;
  /** Undefined: pages of other origins are not spoken to. */
  readonly cors: Cors | undefined;
  readonly responseFields: (fields: Fields, decisionId: string) => string[];
  /** Undefined: nothing of the route's changes depends on the request. */
  readonly prepare: Prepare | undefined;
}

/** One route, ready to forward. */
export interface ForwardRoute extends RouteAnswers {
  readonly plan: ForwardPlan;
  readonly redirect?: undefined;
  readonly requestFields: (permit: Permit) => string[];
  readonly requestTrailers: ((trailers: Fields) => Fields) | undefined;
  readonly responseTrailers: ((trailers: Fields) => Fields) | undefined;
}

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
  };
  const forwarding = new Forwarding(permit, { exchange, route, deps, answerFields });
  plan.upstream.forward(exchange, upstreamRequest, forwarding);
  return undefined;
}

/** For a path that was made anew. */
export const AMBIGUOUS: Unsent = Object.freeze({
  reason: "ambiguous-path",
  detail: "the rewritten path could be read in two ways",
});

class Forwarding implements ForwardObserver {
  readonly #permit: Permit;
  readonly #exchange: Exchange;
  readonly #route: ForwardRoute;
  readonly #deps: ForwardDeps;
  /** What this answer gets beyond what all answers of the route get. */
  readonly #answerFields: Fields | undefined;

  constructor(
    permit: Permit,
    given: {
      readonly exchange: Exchange;
      readonly route: ForwardRoute;
      readonly deps: ForwardDeps;
      readonly answerFields: Fields | undefined;
    },
  ) {
    this.#permit = permit;
    this.#exchange = given.exchange;
    this.#route = given.route;
    this.#deps = given.deps;
    this.#answerFields = given.answerFields;
  }

  responseFields(_status: number, fields: Fields): Fields {
    const shown = this.#route.responseFields(fields, this.#permit.decisionId);
    const { admission } = this.#permit;
    if (admission !== undefined) shown.push(...admission.fields);
    if (this.#answerFields !== undefined) shown.push(...this.#answerFields);
    const { cors } = this.#route;
    if (cors !== undefined) shown.push(...cors.answer(this.#permit.request.head));
    return shown;
  }

  fault(reason: Reason): { status: number; fields: Fields; body: string } {
    const { decisionId, admission } = this.#permit;
    const cors = this.#route.cors?.answer(this.#permit.request.head);
    return problemResponse(reason, { decisionId, admission, cors });
  }

  done(outcome: ForwardOutcome): void {
    const { clock, audit, completed } = this.#deps;
    audit.completion({
      timeMs: clock.now(),
      decisionId: this.#permit.decisionId,
      upstream: outcome.upstream,
      status: outcome.status,
      requestBytes: outcome.requestBytes,
      responseBytes: outcome.responseBytes,
      durationMs: clock.monotonic() - this.#exchange.receivedAt,
      upstreamMs: outcome.upstreamMs,
      end: outcome.end,
    });
    completed(this.#permit.route.name, outcome, this.#permit.decisionId);
  }
}

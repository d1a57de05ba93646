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
import type { ForwardPlan } from "./plan.ts";
import { problemResponse } from "./problem.ts";
import { responseFields } from "./response-fields.ts";
import { rewritePath } from "./rewrite.ts";

export interface ForwardDeps {
  readonly clock: Clock;
  readonly audit: AuditLog;
  readonly completed: (route: string, outcome: ForwardOutcome) => void;
}

/** One route, ready to forward. */
export interface ForwardRoute {
  readonly plan: ForwardPlan;
  readonly challenge: Challenge;
  readonly requestFields: (permit: Permit) => string[];
}

/** False where the declared rewrite would make an ambiguous path: nothing was sent. */
export function forward(
  permit: Permit,
  { exchange, route, deps }: { exchange: Exchange; route: ForwardRoute; deps: ForwardDeps },
): boolean {
  const { plan } = route;
  const { request } = permit;
  const path = rewritePath(request.path, plan);
  if (path === undefined) return false;
  const upstreamRequest: UpstreamRequest = {
    method: request.method,
    target: request.query === undefined ? path : `${path}?${request.query}`,
    fields: route.requestFields(permit),
    connectTimeoutMs: plan.connectTimeoutMs,
    responseTimeoutMs: plan.responseTimeoutMs,
    totalTimeoutMs: plan.totalTimeoutMs,
    idleTimeoutMs: plan.idleTimeoutMs,
    maxBodyBytes: plan.maxBodyBytes,
    hashKey: plan.hashKey === undefined ? undefined : plan.hashKey(permit),
  };
  plan.upstream.forward(exchange, upstreamRequest, new Forwarding(permit, exchange, plan, deps));
  return true;
}

class Forwarding implements ForwardObserver {
  readonly #permit: Permit;
  readonly #exchange: Exchange;
  readonly #plan: ForwardPlan;
  readonly #deps: ForwardDeps;

  constructor(permit: Permit, exchange: Exchange, plan: ForwardPlan, deps: ForwardDeps) {
    this.#permit = permit;
    this.#exchange = exchange;
    this.#plan = plan;
    this.#deps = deps;
  }

  responseFields(_status: number, fields: Fields): Fields {
    const shown = responseFields(fields, this.#plan.response, this.#permit.decisionId);
    const { admission } = this.#permit;
    if (admission !== undefined) shown.push(...admission.fields);
    return shown;
  }

  fault(reason: Reason): { status: number; fields: Fields; body: string } {
    const { decisionId, admission } = this.#permit;
    return problemResponse(reason, { decisionId, admission });
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
    completed(this.#permit.route.name, outcome);
  }
}

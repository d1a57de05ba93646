/** What a route and the process give to a request that is forwarded. */
import type { ForwardOutcome } from "../http/exchange.ts";
import type { Challenge } from "../identity/challenge.ts";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import type { Tracing } from "../telemetry/traces/tracing.ts";
import type { AuditLog } from "../model/records.ts";
import type { Clock } from "../model/ports.ts";
import type { BodyRules } from "./body-rules.ts";
import type { Cors } from "./cors.ts";
import type { ForwardPlan } from "./plan.ts";
import type { Prepare } from "./prepare.ts";

/** `upgrade`: an upgraded connection. `response`: an answer that goes on and on. */
export type StreamKind = "upgrade" | "response";

/** How a permitted request went, with what its caller's protocol adds. */
export interface Completed extends ForwardOutcome {
  readonly grpcStatus: number | undefined;
  /** Undefined for a stream. */
  readonly durationMs: number | undefined;
}

export interface ForwardDeps {
  readonly clock: Clock;
  readonly audit: AuditLog;
  /** Undefined: no trace is kept because of how a request ends. */
  readonly tracing?: Tracing | undefined;
  readonly completed: (route: string, outcome: Completed, decisionId: string) => void;
  readonly streamEnded: (kind: StreamKind, end: ForwardOutcome["end"]) => void;
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
  /** Undefined: bodies stream through. */
  readonly bodies: BodyRules | undefined;
  readonly requestTrailers: ((trailers: Fields) => Fields) | undefined;
  readonly responseTrailers: ((trailers: Fields) => Fields) | undefined;
}

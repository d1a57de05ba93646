/** A permitted request of a caller beside us, while it is forwarded: its answer, and its end on record. */
import type { Permit } from "../gate/decision.ts";
import type { Exchange, ForwardObserver, ForwardOutcome } from "../http/exchange.ts";
import { GRPC_STATUS } from "../model/grpc-status.ts";
import type { Fields } from "../model/http.ts";
import type { Clock } from "../model/ports.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import type { AuditLog } from "../model/records.ts";
import { getField } from "../wire/fields.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import { endTrace, keepError } from "../telemetry/traces/ended-trace.ts";
import { type RequestTrace, traceresponseOf } from "../telemetry/traces/request-trace.ts";
import type { Tracing } from "../telemetry/traces/tracing.ts";
import { readGrpcStatus } from "../wire/grpc/status-fields.ts";
import { responseFields } from "./egress-fields.ts";
import { egressProblem, type EgressProblem, grpcEnd } from "./egress-problem.ts";
import type { EgressRoute } from "./egress-route.ts";
import { nonceAfter } from "./server-nonce.ts";

/** How a permitted request went, with what its caller's protocol adds. */
export interface EgressCompleted extends ForwardOutcome {
  readonly grpcStatus: number | undefined;
  readonly durationMs: number;
}

export interface EgressForwardingDeps {
  readonly clock: Clock;
  readonly audit: AuditLog;
  /** Undefined: requests are part of no trace. */
  readonly tracing?: Tracing | undefined;
  readonly completed: (route: string, outcome: EgressCompleted, decisionId: string) => void;
}

export class EgressForwarding implements ForwardObserver {
  readonly #permit: Permit;
  readonly #exchange: Exchange;
  readonly #route: EgressRoute;
  readonly #deps: EgressForwardingDeps;
  readonly #grpc: boolean;
  /** Kept from its end on, where errors always are. */
  #trace: RequestTrace | undefined;
  /** What the caller was given where it speaks gRPC: in the head of an answer, or what ended it. */
  #head: number | undefined;
  #end: number | undefined;

  constructor(
    permit: Permit,
    given: {
      readonly exchange: Exchange;
      readonly route: EgressRoute;
      readonly deps: EgressForwardingDeps;
    },
  ) {
    this.#permit = permit;
    this.#exchange = given.exchange;
    this.#route = given.route;
    this.#deps = given.deps;
    this.#grpc = isGrpcCall(given.exchange.head);
    this.#trace = permit.trace;
  }

  responseFields(status: number, fields: Fields): Fields {
    const { prover, nonce } = this.#route;
    if (prover !== undefined) {
      nonce.current = nonceAfter(nonce.current, { status, said: getField(fields, "dpop-nonce") });
    }
    const shown = responseFields(fields, this.#permit.decisionId);
    if (this.#grpc) this.#head = readGrpcStatus(shown);
    if (this.#trace !== undefined) {
      if (status >= 500) this.#keepTrace();
      shown.push(...traceresponseOf(this.#trace));
    }
    return shown;
  }

  responseTrailers(fields: Fields): void {
    if (this.#grpc) this.#end = readGrpcStatus(fields);
  }

  fault(reason: Reason): EgressProblem {
    const { decisionId } = this.#permit;
    if (reasonInfo(reason).status >= 500) this.#keepTrace();
    const trace = this.#trace;
    const problem = egressProblem(reason, this.#exchange.head, { decisionId, trace });
    problem.fields.push(...traceresponseOf(trace));
    this.#end = problem.grpcStatus;
    return problem;
  }

  cutShort(reason: Reason): Fields | undefined {
    if (!this.#grpc) return undefined;
    this.#end = GRPC_STATUS[reasonInfo(reason).grpc];
    return grpcEnd(reason, this.#permit.decisionId);
  }

  done(outcome: ForwardOutcome): void {
    const { clock, audit, completed } = this.#deps;
    const { decisionId, route } = this.#permit;
    const grpcStatus = this.#end ?? (outcome.end === "complete" ? this.#head : undefined);
    const durationMs = clock.monotonic() - this.#exchange.receivedAt;
    const { upstream, status, requestBytes, responseBytes, upstreamMs, end } = outcome;
    audit.completion({
      timeMs: clock.now(),
      decisionId,
      upstream,
      status,
      grpcStatus,
      requestBytes,
      responseBytes,
      durationMs,
      upstreamMs,
      end,
    });
    if (this.#trace !== undefined) endTrace(this.#trace, { ...outcome, grpcStatus }, this.#traced);
    completed(route.name, { ...outcome, grpcStatus, durationMs }, decisionId);
  }

  #keepTrace(): void {
    this.#trace = keepError(this.#trace, this.#traced);
  }

  get #traced() {
    const startedAt = this.#exchange.receivedAt;
    return { permit: this.#permit, startedAt, tracing: this.#deps.tracing };
  }
}

/**
 * A permitted request while it is forwarded: what its response and its end look like, and, where it
 * becomes a stream, what it is decided about again by.
 */
import type { Exchange, Forwarded, ForwardObserver, ForwardOutcome } from "../http/exchange.ts";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import { endTrace, keepError } from "../telemetry/traces/ended-trace.ts";
import { type RequestTrace, traceresponseOf } from "../telemetry/traces/request-trace.ts";
import type { ForwardDeps, ForwardRoute, StreamKind } from "./forward-route.ts";
import { keptPrivate } from "../wire/own-cookies.ts";
import { problemResponse, type ProblemResponse } from "./problem.ts";

const LIMITS = {
  /**
   * A response on a route without `lifetime` counts as a stream when it has gone on for so long: a
   * plain one may finish, and what takes longer than this is no longer answering a click.
   */
  plainMs: 10_000,
} as const;

export class Forwarding implements ForwardObserver {
  readonly permit: Permit;
  /** What it was last permitted by. */
  standing: Permit;
  /** Whether it is being decided about again. */
  deciding = false;
  /** The version of the revocations at which none of them was about it. */
  cleanAt: number | undefined;
  protected readonly exchange: Exchange;
  readonly #route: ForwardRoute;
  readonly #deps: ForwardDeps;
  /** Kept from its end on, where errors always are. */
  protected trace: RequestTrace | undefined;
  /** What this answer gets beyond what all answers of the route get. */
  readonly #answerFields: Fields | undefined;
  #forwarded: Forwarded | undefined;
  #over = false;

  constructor(
    permit: Permit,
    given: {
      readonly exchange: Exchange;
      readonly route: ForwardRoute;
      readonly deps: ForwardDeps;
      readonly answerFields: Fields | undefined;
    },
  ) {
    this.permit = permit;
    this.standing = permit;
    this.exchange = given.exchange;
    this.#route = given.route;
    this.#deps = given.deps;
    this.trace = permit.trace;
    this.#answerFields = given.answerFields;
  }

  began(forwarded: Forwarded): void {
    this.#forwarded = forwarded;
    this.exchange.owner = this;
  }

  /** What kind of stream it is; undefined while, or as long as, it is a plain request, and once it is over. */
  kind(now: number): StreamKind | undefined {
    if (this.#over || this.#forwarded === undefined) return undefined;
    return this.#kind(this.#forwarded.status, now - this.exchange.receivedAt);
  }

  /** Ends the stream. */
  close(reason: Reason, detail: string): void {
    this.#forwarded?.cancel(reason, detail);
  }

  responseFields(status: number, fields: Fields): Fields {
    const shown = this.#route.responseFields(fields, this.permit.decisionId);
    const { admission, answerFields } = this.permit;
    if (this.trace !== undefined) {
      if (status >= 500) this.#keepTrace();
      shown.push(...traceresponseOf(this.trace));
    }
    if (admission !== undefined) shown.push(...admission.fields);
    if (answerFields !== undefined) shown.push(...answerFields);
    if (this.#answerFields !== undefined) shown.push(...this.#answerFields);
    const { cors } = this.#route;
    if (cors !== undefined) shown.push(...cors.answer(this.permit.request.head));
    // The session of one person goes out with it.
    return answerFields?.includes("set-cookie") === true ? keptPrivate(shown) : shown;
  }

  fault(reason: Reason): ProblemResponse {
    if (reasonInfo(reason).status >= 500) this.#keepTrace();
    const problem = this.problem(reason);
    problem.fields.push(...traceresponseOf(this.trace));
    return problem;
  }

  protected problem(reason: Reason): ProblemResponse {
    const { decisionId, admission } = this.permit;
    const cors = this.#route.cors?.answer(this.permit.request.head);
    return problemResponse(reason, { decisionId, trace: this.trace, admission, cors });
  }

  done(outcome: ForwardOutcome): void {
    this.#over = true;
    const { clock, audit, completed, streamEnded } = this.#deps;
    const durationMs = clock.monotonic() - this.exchange.receivedAt;
    const grpcStatus = this.grpcStatus(outcome.end);
    audit.completion({
      timeMs: clock.now(),
      decisionId: this.permit.decisionId,
      upstream: outcome.upstream,
      status: outcome.status,
      grpcStatus,
      requestBytes: outcome.requestBytes,
      responseBytes: outcome.responseBytes,
      durationMs,
      upstreamMs: outcome.upstreamMs,
      end: outcome.end,
    });
    if (this.trace !== undefined) endTrace(this.trace, { ...outcome, grpcStatus }, this.#traced);
    const kind = this.#kind(outcome.status, durationMs);
    const wholeMs = kind === undefined ? durationMs : undefined;
    const ended = { ...outcome, grpcStatus, durationMs: wholeMs };
    completed(this.permit.route.name, ended, this.permit.decisionId);
    if (kind !== undefined) streamEnded(kind, outcome.end);
  }

  #keepTrace(): void {
    this.trace = keepError(this.trace, this.#traced);
  }

  get #traced() {
    const { permit, exchange } = this;
    return { permit, startedAt: exchange.receivedAt, tracing: this.#deps.tracing };
  }

  #kind(status: number, ageMs: number): StreamKind | undefined {
    if (status === 101) return "upgrade";
    const plain = this.#route.plan.lifetimeMs === undefined && ageMs <= LIMITS.plainMs;
    return plain || !this.streams(status) ? undefined : "response";
  }

  /** Whether something flows that may go on and on. */
  protected streams(status: number): boolean {
    return status !== 0;
  }

  /** What the caller was given where it speaks gRPC. */
  protected grpcStatus(_end: ForwardOutcome["end"]): number | undefined {
    return undefined;
  }
}

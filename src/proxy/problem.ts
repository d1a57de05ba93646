/**
 * The one table from reasons to responses: RFC 9457 problem documents. What a caller reads is made
 * from the reason and the decision id alone, so that no secret and no detail can be in it.
 */
import type { Misfit } from "../gate/operations/operation-checks.ts";
import type { Admission } from "../limits/route-limits.ts";
import type { Fields } from "../model/http.ts";
import type { GrpcStatus } from "../model/grpc-status.ts";
import { type RequestTrace, traceIdOf } from "../telemetry/traces/request-trace.ts";
import { isChallenged, type Reason, reasonInfo } from "../model/reason.ts";

export interface ProblemContext {
  readonly decisionId: string;
  /** The trace that the request is part of, where somebody keeps it. */
  readonly trace?: RequestTrace | undefined;
  /** Values for `allow` (405). */
  readonly allow?: string | undefined;
  /** The `www-authenticate` value. */
  readonly challenge?: string | undefined;
  /** What the route's limits said: when to ask again, and what is left. */
  readonly admission?: Admission | undefined;
  /** What of the request does not fit its service's description; holds no value. */
  readonly misfit?: Misfit | undefined;
  /** Fields by which a page of another origin may read it. */
  readonly cors?: Fields | undefined;
}

export interface ProblemResponse {
  readonly status: number;
  readonly fields: string[];
  readonly body: string;
  /** Where it answers a gRPC call: the status that is in the fields. */
  readonly grpcStatus?: GrpcStatus;
}

/** Seconds to wait before asking again, where waiting helps. */
const RETRY_AFTER: Partial<Record<Reason, number>> = {
  "too-many-failures": 10,
  "feed-stale": 5,
  "identity-unavailable": 5,
  "audit-unavailable": 5,
  "memory-unavailable": 1,
  "key-unavailable": 5,
  overloaded: 1,
  "no-endpoint": 5,
  "shutting-down": 1,
};

export function problemResponse(reason: Reason, context: ProblemContext): ProblemResponse {
  const { status, title } = reasonInfo(reason);
  if (status === 204) {
    const allow = ["allow", context.allow ?? ""];
    return { status, fields: ["sallyport-decision", context.decisionId, ...allow], body: "" };
  }
  const fields = [
    "content-type",
    "application/problem+json",
    "cache-control",
    "no-store",
    "sallyport-decision",
    context.decisionId,
  ];
  if (isChallenged(reason)) {
    fields.push("www-authenticate", context.challenge ?? "Bearer");
  }
  // RFC 6455 section 4.4: what we would have understood.
  if (reason === "invalid-upgrade") fields.push("sec-websocket-version", "13");
  if (status === 405) fields.push("allow", context.allow ?? "");
  const { admission } = context;
  const retryAfter = retryAfterSeconds(reason, admission);
  if (retryAfter !== undefined) fields.push("retry-after", String(retryAfter));
  if (admission !== undefined) fields.push(...admission.fields);
  if (context.cors !== undefined) fields.push(...context.cors);
  const body = JSON.stringify({
    type: `urn:sallyport:reason:${reason}`,
    status,
    title,
    reason,
    decision: context.decisionId,
    trace: traceIdOf(context.trace),
    ...(context.misfit && { invalid: context.misfit }),
  });
  return { status, fields, body: `${body}\n` };
}

/** Undefined where waiting does not help. What has it was refused before its service saw anything. */
export function retryAfterSeconds(
  reason: Reason,
  admission: Admission | undefined,
): number | undefined {
  return reason === admission?.reason ? admission.retryAfterSeconds : RETRY_AFTER[reason];
}

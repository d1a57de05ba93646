/**
 * What the sidecar answers itself: problem documents (RFC 9457), and to gRPC callers a trailers-only answer, made
 * from the reason and the decision id alone.
 */
import { GRPC_STATUS, type GrpcStatus } from "../model/grpc-status.ts";
import type { RequestHead } from "../model/http.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import { type RequestTrace, traceIdOf } from "../telemetry/traces/request-trace.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import { grpcStatusFields } from "../wire/grpc/status-fields.ts";

export interface EgressProblem {
  readonly status: number;
  readonly fields: string[];
  readonly body: string;
  readonly grpcStatus: GrpcStatus | undefined;
}

export interface EgressProblemContext {
  readonly decisionId: string;
  /** The trace that the request is part of, where somebody keeps it. */
  readonly trace?: RequestTrace | undefined;
  /** Values for `allow` (405, 204). */
  readonly allow?: string | undefined;
  /** For callers who want something that a sidecar cannot do. */
  readonly detail?: string | undefined;
}

/** Seconds to wait before asking again, where waiting helps. */
const RETRY_AFTER: Partial<Record<Reason, number>> = {
  "key-unavailable": 5,
  "audit-unavailable": 5,
  "no-endpoint": 5,
  overloaded: 1,
  "shutting-down": 1,
};

/** `head`: undefined where there was no request. */
export function egressProblem(
  reason: Reason,
  head: RequestHead | undefined,
  context: EgressProblemContext,
): EgressProblem {
  const { decisionId, allow = "", detail } = context;
  const { status, title } = reasonInfo(reason);
  if (head !== undefined && isGrpcCall(head)) return grpcAnswer(reason, decisionId);
  if (status === 204) {
    const fields = ["sallyport-decision", decisionId, "allow", allow];
    return { status, fields, body: "", grpcStatus: undefined };
  }
  const fields = ["content-type", "application/problem+json", "cache-control", "no-store"];
  fields.push("sallyport-decision", decisionId);
  if (status === 405) fields.push("allow", allow);
  const seconds = RETRY_AFTER[reason];
  if (seconds !== undefined) fields.push("retry-after", String(seconds));
  const type = `urn:sallyport:reason:${reason}`;
  const trace = traceIdOf(context.trace);
  const document = { type, status, title, reason, decision: decisionId, trace, detail };
  return { status, fields, body: `${JSON.stringify(document)}\n`, grpcStatus: undefined };
}

/** What ends a call whose answer had begun. */
export function grpcEnd(reason: Reason, decisionId: string): string[] {
  const { grpc, title } = reasonInfo(reason);
  return grpcStatusFields(grpc, `${title} (${reason}, decision ${decisionId})`);
}

function grpcAnswer(reason: Reason, decisionId: string): EgressProblem {
  const grpcStatus = GRPC_STATUS[reasonInfo(reason).grpc];
  const fields = ["content-type", "application/grpc", ...grpcEnd(reason, decisionId)];
  fields.push("sallyport-decision", decisionId);
  return { status: 200, fields, body: "", grpcStatus };
}

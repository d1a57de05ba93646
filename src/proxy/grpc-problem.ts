/**
 * A refused gRPC call: a trailers-only answer (PROTOCOL-HTTP2 of grpc.io) made from the same table as
 * problem documents, or the trailers that end an answer which had begun. The message is for people; it
 * holds the reason and the decision id and nothing of the request.
 */
import { GRPC_STATUS } from "../model/grpc-status.ts";
import { isChallenged, type Reason, reasonInfo } from "../model/reason.ts";
import { grpcStatusFields } from "../wire/grpc/status-fields.ts";
import { type ProblemContext, type ProblemResponse, retryAfterSeconds } from "./problem.ts";

const LIMITS = {
  /** Clients read `grpc-retry-pushback-ms` as an int32. */
  pushbackMs: 2 ** 31 - 1,
} as const;

/** Fields that mean something to browsers only (CORS, `allow`, caching) are left out. */
export function grpcProblem(reason: Reason, context: ProblemContext): ProblemResponse {
  const { grpc } = reasonInfo(reason);
  const { decisionId, challenge, admission } = context;
  const fields = [
    "content-type",
    "application/grpc",
    ...grpcProblemTrailers(reason, decisionId),
    "sallyport-decision",
    decisionId,
  ];
  if (isChallenged(reason)) fields.push("www-authenticate", challenge ?? "Bearer");
  const seconds = retryAfterSeconds(reason, admission);
  if (seconds !== undefined) {
    // gRFC A6: how long a client that retries this status at all is to wait before it does.
    fields.push("grpc-retry-pushback-ms", String(Math.min(seconds * 1000, LIMITS.pushbackMs)));
  }
  if (admission !== undefined) fields.push(...admission.fields);
  return { status: 200, fields, body: "", grpcStatus: GRPC_STATUS[grpc] };
}

/** What ends a call whose answer had begun, so that what came of it is not taken for all of it. */
export function grpcProblemTrailers(reason: Reason, decisionId: string): string[] {
  const { grpc, title } = reasonInfo(reason);
  return grpcStatusFields(grpc, `${title} (${reason}, decision ${decisionId})`);
}

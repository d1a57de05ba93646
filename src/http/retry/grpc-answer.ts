/**
 * What the answer to a gRPC call says of its service. UNAVAILABLE in the head of an answer that is nothing
 * else (trailers-only) is what 503 is in HTTP: it speaks against the endpoint, and as far as gRPC is
 * concerned such a call was not begun to be answered (gRFC A6, "transparent" and configured retries).
 */
import type { RequestHead, ResponseHead } from "../../model/http.ts";
import { GRPC_STATUS } from "../../model/grpc-status.ts";
import { getField } from "../../wire/fields.ts";
import { isGrpcCall, isGrpcType } from "../../wire/grpc/call.ts";
import { readGrpcStatus } from "../../wire/grpc/status-fields.ts";
import type { RetryCause } from "../attempt-failure.ts";

/** Why it may be sent again: its status, or that a call is answered UNAVAILABLE. */
export function causeOf(answer: ResponseHead, request: RequestHead): RetryCause {
  // In the order of what it costs: nearly all answers have another status or a body.
  if (answer.status !== 200 || !isEmpty(answer)) return answer.status;
  const { fields } = answer;
  if (readGrpcStatus(fields) !== GRPC_STATUS.UNAVAILABLE || !isGrpcCall(request)) return 200;
  return isGrpcType(getField(fields, "content-type")) ? "grpc-unavailable" : 200;
}

/** The status that an endpoint is judged by. */
export function judgedStatus(cause: RetryCause, status: number): number {
  return cause === "grpc-unavailable" ? 503 : status;
}

/** Whether the service says itself when to come back, or never to: then that is between it and the caller. */
export function hasPushback({ fields }: ResponseHead): boolean {
  return getField(fields, "grpc-retry-pushback-ms") !== undefined;
}

function isEmpty({ bodyKind, contentLength }: ResponseHead): boolean {
  return bodyKind === "none" || (bodyKind === "length" && contentLength === 0);
}

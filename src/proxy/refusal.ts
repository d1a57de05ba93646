/** What is answered instead of forwarding, in the caller's own protocol: gRPC, or HTTP. */
import type { RequestHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import { grpcProblem } from "./grpc-problem.ts";
import { type ProblemContext, problemResponse, type ProblemResponse } from "./problem.ts";

export function refusal(
  head: RequestHead,
  reason: Reason,
  context: ProblemContext,
): ProblemResponse {
  return isGrpcCall(head) ? grpcProblem(reason, context) : problemResponse(reason, context);
}

/**
 * A permitted gRPC call while it is forwarded. What fails before the answer has begun is a
 * trailers-only answer; what fails later, or is denied when it is decided about again, ends with
 * trailers of ours where they can still be delivered. A call counts as a stream also while only the
 * caller sends: its service may answer when all has come.
 */
import type { ForwardOutcome } from "../http/exchange.ts";
import type { Fields } from "../model/http.ts";
import { GRPC_STATUS } from "../model/grpc-status.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import { readGrpcStatus } from "../wire/grpc/status-fields.ts";
import { Forwarding } from "./forwarding.ts";
import { grpcProblem, grpcProblemTrailers } from "./grpc-problem.ts";
import type { ProblemResponse } from "./problem.ts";

export class GrpcForwarding extends Forwarding {
  /** In the head of the service's answer: that is the status of a trailers-only one. */
  #head: number | undefined;
  /** What ended the call, in trailers or by ourselves. */
  #end: number | undefined;

  override responseFields(status: number, fields: Fields): Fields {
    const shown = super.responseFields(status, fields);
    this.#head = readGrpcStatus(shown);
    return shown;
  }

  responseTrailers(fields: Fields): void {
    this.#end = readGrpcStatus(fields);
  }

  protected override problem(reason: Reason): ProblemResponse {
    const { decisionId, admission } = this.permit;
    this.#end = GRPC_STATUS[reasonInfo(reason).grpc];
    return grpcProblem(reason, { decisionId, admission });
  }

  cutShort(reason: Reason): Fields {
    this.#end = GRPC_STATUS[reasonInfo(reason).grpc];
    return grpcProblemTrailers(reason, this.permit.decisionId);
  }

  protected override streams(status: number): boolean {
    return status !== 0 || !this.exchange.stream.bodyDone;
  }

  protected override grpcStatus(end: ForwardOutcome["end"]): number | undefined {
    return this.#end ?? (end === "complete" ? this.#head : undefined);
  }
}

/** How sending a request to one endpoint can fail. */
import type { Reason } from "../model/reason.ts";

/**
 * What an attempt failed by. `connect`: the connection could not be opened, so nothing was sent.
 * `reset`: it broke before a byte of an answer. `timeout`: no response head in time. `protocol`: what
 * came is not an answer.
 */
export type FailureKind = "connect" | "reset" | "timeout" | "protocol";

/** What a request may be sent again after: a failure, a status, or a gRPC call that ended UNAVAILABLE. */
export type RetryCause = FailureKind | number | "grpc-unavailable";

export interface AttemptFailure {
  readonly kind: FailureKind;
  /** What the caller is told if nothing else is tried. */
  readonly reason: Reason;
  readonly detail: string;
  /** The service has said that it did not act on the request: nothing forbids to send it again. */
  readonly unprocessed?: boolean;
}

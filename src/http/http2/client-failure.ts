/** What the end of a stream means for the request on it. */
import type { Reason } from "../../model/reason.ts";
import { H2_ERROR, h2ErrorName } from "../../wire/http2/codes.ts";
import type { UpstreamFailure } from "../service-connection.ts";
import type { StreamReset } from "./stream.ts";

/** Codes by which a service says that we do not speak as it does. */
const PROTOCOL: ReadonlySet<number> = new Set([
  H2_ERROR.protocolError,
  H2_ERROR.flowControlError,
  H2_ERROR.streamClosed,
  H2_ERROR.frameSizeError,
  H2_ERROR.compressionError,
  H2_ERROR.http11Required,
]);

/** How far the exchange had come. */
export interface Progress {
  /** Whether anything of an answer has come. */
  readonly answered: boolean;
  /** Whether the connection had served before and has said nothing since the request was sent. */
  readonly silent: boolean;
  /** What the system says of the connection, where it says something. */
  readonly errorCode: string | undefined;
}

/** `reset` before the answer was complete, as the one who waits for it hears it. */
export function failureOf(reset: StreamReset, progress: Progress): UpstreamFailure {
  const { by, code, unprocessed } = reset;
  const { answered, errorCode } = progress;
  const ours = errorCode ?? reset.detail;
  const detail = by === "peer" ? `RST_STREAM ${h2ErrorName(code)}` : ours;
  return {
    reason: answered || by === "us" ? "upstream-protocol" : reasonOf(code),
    detail: answered ? `${detail} within the answer` : detail,
    connecting: false,
    stale: by === "connection" && progress.silent && !answered,
    // Who has begun to answer has looked at it, whatever it says afterwards.
    unprocessed: unprocessed && !answered,
    cancelled: answered && by === "peer" && code === H2_ERROR.cancel,
  };
}

/** Why a stream or connection that ended by `code` gave no answer. */
export function reasonOf(code: number): Reason {
  return PROTOCOL.has(code) ? "upstream-protocol" : "upstream-unreachable";
}

/** An answer of our own: nothing went to a service. How it ended is on record where its decision is. */
import type { Fields } from "../model/http.ts";
import type { Clock } from "../model/ports.ts";
import type { AuditLog } from "../model/records.ts";
import type { Exchange } from "./exchange.ts";

export interface RecordedAnswer {
  readonly status: number;
  readonly fields: Fields;
  readonly body: string;
  /** Of an answer to a gRPC call; left out for all else. */
  readonly grpcStatus?: number | undefined;
  readonly decisionId: string;
  /** Whether the decision has a record, which a completion then follows. */
  readonly recorded: boolean;
}

/** Answers, and records it. Whoever was gone before has got nothing: status 0, `caller-gone`. */
export function replyRecorded(
  exchange: Exchange,
  { status, fields, body, grpcStatus, decisionId, recorded }: RecordedAnswer,
  { audit, clock }: { readonly audit: AuditLog; readonly clock: Clock },
): void {
  // Asked before the answer: one that is the last of its connection leaves nobody there.
  const { gone } = exchange;
  exchange.reply(status, fields, body);
  if (!recorded) return;
  audit.completion({
    timeMs: clock.now(),
    decisionId,
    upstream: undefined,
    status: gone ? 0 : status,
    grpcStatus: gone ? undefined : grpcStatus,
    requestBytes: 0,
    responseBytes: gone ? 0 : Buffer.byteLength(body),
    durationMs: clock.monotonic() - exchange.receivedAt,
    upstreamMs: undefined,
    end: gone ? "caller-gone" : "complete",
  });
}

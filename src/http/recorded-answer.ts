/** An answer of our own: nothing went to a service. How it ended is on record where its decision is. */
import type { Fields } from "../model/http.ts";
import type { Clock } from "../model/ports.ts";
import type { AuditLog } from "../model/records.ts";
import { type RequestTrace, spansOf, traceresponseOf } from "../telemetry/traces/request-trace.ts";
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
  /** The trace that the request is part of; undefined: of none. */
  readonly trace: RequestTrace | undefined;
}

/** Answers, and records it. Whoever was gone before has got nothing: status 0, `caller-gone`. */
export function replyRecorded(
  exchange: Exchange,
  { status, fields, body, grpcStatus, decisionId, recorded, trace }: RecordedAnswer,
  { audit, clock }: { readonly audit: AuditLog; readonly clock: Clock },
): void {
  // Asked before the answer: one that is the last of its connection leaves nobody there.
  const { gone } = exchange;
  exchange.reply(
    status,
    trace === undefined ? fields : [...fields, ...traceresponseOf(trace)],
    body,
  );
  const end = gone ? ("caller-gone" as const) : ("complete" as const);
  const spans = spansOf(trace);
  if (spans !== undefined) {
    const responseBytes = gone ? 0 : Buffer.byteLength(body);
    spans.end({ status: gone ? 0 : status, grpcStatus, responseBytes, end });
  }
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
    end,
  });
}

/**
 * The same of what never became a request, which the engine answers by itself before it closes:
 * nobody is told whether the caller still read it.
 */
export function recordUnread(
  { status, body, decisionId, recorded, trace }: Omit<RecordedAnswer, "fields" | "grpcStatus">,
  deps: { readonly audit: AuditLog; readonly clock: Clock; readonly receivedAt: number },
): void {
  const responseBytes = Buffer.byteLength(body);
  spansOf(trace)?.end({ status, responseBytes, end: "complete" });
  if (!recorded) return;
  deps.audit.completion({
    timeMs: deps.clock.now(),
    decisionId,
    upstream: undefined,
    status,
    grpcStatus: undefined,
    requestBytes: 0,
    responseBytes,
    durationMs: deps.clock.monotonic() - deps.receivedAt,
    upstreamMs: undefined,
    end: "complete",
  });
}

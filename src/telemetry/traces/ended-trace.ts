/** The trace of a permitted request, once it is known how it ends: errors may be kept whatever the rate said. */
import { type RequestTrace, spansOf } from "./request-trace.ts";
import { type DecidedRequest, type EndedRequest, hasFailed } from "./span-attributes.ts";
import type { Tracing } from "./tracing.ts";

/** A permit, as far as spans speak of it. */
export interface PermittedRequest extends Omit<DecidedRequest, "id"> {
  readonly decisionId: string;
}

interface Around {
  readonly permit: PermittedRequest;
  /** Monotonic milliseconds at which the head was there. */
  readonly startedAt: number;
  readonly tracing: Tracing | undefined;
}

const ERRORS = Object.freeze(["errors"] as const);

/** The same trace, kept where errors always are. */
export function keepError(
  trace: RequestTrace | undefined,
  { permit, startedAt, tracing }: Around,
): RequestTrace | undefined {
  if (trace === undefined || tracing === undefined) return trace;
  const kept = tracing.keep(trace, ERRORS, startedAt);
  if (kept !== trace) {
    const { decisionId: id, input, request, route, principal } = permit;
    spansOf(kept)?.decided({ id, input, request, route, principal }, "permitted");
  }
  return kept;
}

/** To be called once the exchange is over. */
export function endTrace(
  trace: RequestTrace | undefined,
  ended: EndedRequest,
  around: Around,
): void {
  if (trace === undefined) return;
  const kept = hasFailed(ended) ? keepError(trace, around) : trace;
  spansOf(kept)?.end(ended);
}

/**
 * The trace that a request is part of, as those see it who only pass it on: to records, to answers, to
 * the service. While nobody keeps anything of the trace here it is one text, so that the usual request
 * costs no object.
 */
import type { Fields } from "../../model/http.ts";
import type { RequestSpans } from "./request-spans.ts";

/** A text is our `traceparent` of a trace that begins here and is not sampled. */
export type RequestTrace = string | KeptTrace;

/** A trace that somebody keeps: who called us, or we do. */
export interface KeptTrace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** What goes to the service, and says whether we sample it; spans of ours have another for each attempt. */
  readonly traceparent: string;
  /** What the caller said beside its `traceparent`, where all of it can be read. */
  readonly tracestate: string | undefined;
  /** Undefined where nothing is recorded here. */
  readonly spans: RequestSpans | undefined;
  /** Whether answers say which trace it is: where tracing is configured. */
  readonly told: boolean;
}

/** Undefined where nobody keeps the trace: to name it would lead nowhere. */
export function traceIdOf(trace: RequestTrace | undefined): string | undefined {
  return typeof trace === "object" ? trace.traceId : undefined;
}

/** What the service gets where nothing is recorded here; undefined: a new one. */
export function traceparentOf(trace: RequestTrace | undefined): string | undefined {
  return typeof trace === "object" ? trace.traceparent : trace;
}

export function spansOf(trace: RequestTrace | undefined): RequestSpans | undefined {
  return typeof trace === "object" ? trace.spans : undefined;
}

/**
 * The field `traceresponse` (W3C Trace Context level 2, "Trace Context Response") of an answer, where
 * tracing is configured: the trace, our span in it or the caller's, and whether we record it.
 */
export function traceresponseOf(trace: RequestTrace | undefined): Fields {
  if (trace === undefined) return NONE;
  if (typeof trace === "string") return [TRACERESPONSE, trace];
  if (trace.spans !== undefined) return [TRACERESPONSE, trace.spans.traceparent];
  return trace.told ? [TRACERESPONSE, trace.traceparent] : NONE;
}

export const TRACERESPONSE = "traceresponse";
const NONE: Fields = Object.freeze([]);

/** One span, and how OTLP's JSON form writes it (opentelemetry-proto, trace.proto). */
import { maskApiKeys } from "../../crypto/api-key-text.ts";
import { otlpAttributes, type OtlpInput, unixNano } from "../../model/otlp.ts";

export type SpanKind = "internal" | "server" | "client";

export type SpanAttributes = Readonly<Record<string, OtlpInput | undefined>>;

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined: the first of its trace. */
  readonly parentId: string | undefined;
  /** Whether the parent is somebody else's. */
  readonly remote: boolean;
  readonly tracestate: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the epoch, with their fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** Whether what it stands for has failed. */
  readonly failed: boolean;
}

/** A span within the request; it ends now. */
export interface ChildSpan {
  readonly spanId: string;
  readonly parentId?: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** Monotonic milliseconds. */
  readonly from: number;
  readonly failed: boolean;
  readonly attributes: SpanAttributes;
}

/** SpanKind of trace.proto. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 };

/** SpanFlags of trace.proto: sampled, and that and how it is known where the parent is. */
const SAMPLED = 0x01;
const HAS_REMOTE = 0x100;
const REMOTE = 0x200;

const ERROR = Object.freeze({ code: 2 });

export function spanText(span: Span): string {
  const { traceId, spanId, parentId, tracestate, name, kind, failed } = span;
  return JSON.stringify({
    traceId,
    spanId,
    parentSpanId: parentId,
    // A caller wrote it. What holds a key of ours is not for collectors.
    traceState:
      tracestate !== undefined && maskApiKeys(tracestate) === tracestate ? tracestate : undefined,
    flags: SAMPLED | HAS_REMOTE | (span.remote ? REMOTE : 0),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: unixNano(span.startMs),
    // Clocks are read in turn, and never the other way round: still nothing may end before it began.
    endTimeUnixNano: unixNano(Math.max(span.startMs, span.endMs)),
    attributes: otlpAttributes(span.attributes),
    status: failed ? ERROR : undefined,
  });
}

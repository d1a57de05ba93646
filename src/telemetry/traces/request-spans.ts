/**
 * What is recorded of one request that is sampled: the span of the whole (kind server), the gate's with
 * those of its steps that took time, and one for each attempt to reach the service. All of it is
 * handed on together when the exchange is over; nobody else pays for it.
 */
import type { Clock } from "../../model/ports.ts";
import { isGranted, type Reason } from "../../model/reason.ts";
import { formatTraceparent } from "../../wire/traceparent.ts";
import { AttemptSpans, type SentRequest } from "./attempt-spans.ts";
import type { ChildSpan, Span } from "./span.ts";
import {
  type DecidedRequest,
  type EndedRequest,
  hasFailed,
  serverAttributes,
  serverSpanName,
} from "./span-attributes.ts";

const LIMITS = {
  /** Spans of one request: steps are a handful, attempts are bounded by the service's retries. */
  children: 64,
  /** Milliseconds below which a step that waited for nothing is not worth a span. */
  stepMs: 0.5,
} as const;

export interface SpanIdentity {
  readonly traceId: string;
  readonly spanId: string;
  /** The caller's span, where it is one. */
  readonly parentId: string | undefined;
  readonly tracestate: string | undefined;
}

export interface SpanDeps {
  readonly clock: Clock;
  readonly newSpanId: () => string;
  /** Whether the span says who the caller is. */
  readonly principal: boolean;
  /** Takes what is complete. */
  readonly export: (spans: readonly Span[]) => void;
}

export class RequestSpans {
  readonly traceId: string;
  readonly spanId: string;
  /** Of our span: what the caller is told. */
  readonly traceparent: string;
  readonly #identity: SpanIdentity;
  readonly #deps: SpanDeps;
  readonly #startedAt: number;
  /** What makes a time of the day of monotonic milliseconds. */
  readonly #epochMs: number;
  readonly #children: Span[] = [];
  #gateId: string | undefined;
  #decided: { readonly request: DecidedRequest; readonly reason: Reason } | undefined;
  #attempts: AttemptSpans | undefined;
  #over = false;

  /** `startedAt`: monotonic milliseconds at which the head was there. */
  constructor(identity: SpanIdentity, startedAt: number, deps: SpanDeps) {
    this.traceId = identity.traceId;
    this.spanId = identity.spanId;
    const { traceId, spanId: parentId } = identity;
    this.traceparent = formatTraceparent({ traceId, parentId, sampled: true });
    this.#identity = identity;
    this.#deps = deps;
    this.#startedAt = startedAt;
    this.#epochMs = deps.clock.now() - deps.clock.monotonic();
  }

  now(): number {
    return this.#deps.clock.monotonic();
  }

  newSpanId(): string {
    return this.#deps.newSpanId();
  }

  /** A step of the gate has ended. */
  step(name: string, from: number, waited: boolean): void {
    if (!waited && this.now() - from < LIMITS.stepMs) return;
    this.child({
      spanId: this.newSpanId(),
      parentId: this.#gate(),
      name,
      kind: "internal",
      from,
      failed: false,
      attributes: {},
    });
  }

  /** The gate has decided. Again, where the answer became another one after that. */
  decided(request: DecidedRequest, reason: Reason): void {
    this.#decided = { request, reason };
  }

  /** What was decided goes out of the gate, which began at `from`. */
  gateEnded(from: number, policies: readonly string[]): void {
    const reason = this.#decided?.reason;
    this.child({
      spanId: this.#gate(),
      name: "gate",
      kind: "internal",
      from,
      failed: reason === "internal-error",
      attributes: {
        "sallyport.decision":
          reason === undefined ? undefined : isGranted(reason) ? "permit" : "deny",
        "sallyport.reason": reason,
        "sallyport.policies": policies.length === 0 ? undefined : policies,
      },
    });
  }

  /** The request is about to be sent to its service. */
  attempts(sent: SentRequest): AttemptSpans {
    return (this.#attempts ??= new AttemptSpans(this, sent));
  }

  child({ spanId, parentId = this.spanId, from, ...span }: ChildSpan): void {
    if (this.#over || this.#children.length >= LIMITS.children) return;
    const { traceId } = this;
    const { tracestate } = this.#identity;
    const startMs = this.#epochMs + from;
    const endMs = this.#epochMs + this.now();
    const whose = { traceId, spanId, parentId, tracestate, remote: false };
    this.#children.push({ ...whose, ...span, startMs, endMs });
  }

  /** The exchange is over. Once; what comes after it is not heard. */
  end(ended: EndedRequest): void {
    if (this.#over) return;
    this.#attempts?.end(ended.end === "complete" ? undefined : ended.end);
    this.#over = true;
    if (this.#decided === undefined) return;
    const { request, reason } = this.#decided;
    const { parentId } = this.#identity;
    const whole: Span = {
      ...this.#identity,
      remote: parentId !== undefined,
      name: serverSpanName(request),
      kind: "server",
      startMs: this.#epochMs + this.#startedAt,
      endMs: this.#epochMs + this.now(),
      attributes: serverAttributes(request, reason, { ended, principal: this.#deps.principal }),
      failed: hasFailed(ended),
    };
    this.#deps.export([whole, ...this.#children]);
  }

  #gate(): string {
    return (this.#gateId ??= this.newSpanId());
  }
}

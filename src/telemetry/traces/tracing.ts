/**
 * Which request is part of which trace, and whether it is recorded: by the trace id at the rate that the
 * configuration says, by who calls where it is believed, and at the end where refusals and errors are
 * always kept. Without a configuration contexts of callers are passed on, and nothing is recorded.
 *
 * A request that is not recorded costs one look through its fields, and a `traceparent`, which services
 * get in any case: no object, and no look at a clock.
 */
import type { Fields } from "../../model/http.ts";
import type { Clock, Counter, Log, Metrics, Timers } from "../../model/ports.ts";
import type { ExchangeTls } from "../../platform/bounded-exchange.ts";
import { createTraceparents } from "../../platform/trace-ids.ts";
import { readTraceContext, type TraceContext } from "../../wire/trace-context.ts";
import { formatTraceparent } from "../../wire/traceparent.ts";
import { hidingSpans } from "./hidden-attributes.ts";
import { RequestSpans, type SpanIdentity } from "./request-spans.ts";
import type { KeptTrace, RequestTrace } from "./request-trace.ts";
import { Allowance, isKept, thresholdOf } from "./sampler.ts";
import { spanCounters, SpanExporter, type SpanExporterDeps } from "./span-exporter.ts";
import { createSpanIds, spanIdIn, traceIdIn } from "./trace-ids.ts";
import type { TracingOptions } from "./trace-options.ts";

/** A request as its transport knows it. */
export interface TracedRequest {
  readonly head: { readonly fields: Fields };
  readonly connection: { readonly listener: string };
  /** Monotonic milliseconds. */
  readonly receivedAt: number;
}

export interface Tracing {
  /** Undefined: none, and none is to be made. */
  begin(request: TracedRequest): RequestTrace | undefined;
  /** The same trace, recorded from now on if it is to be because of how the request ends. `startedAt`: monotonic. */
  keep(
    trace: RequestTrace | undefined,
    why: readonly Kept[],
    startedAt: number,
  ): RequestTrace | undefined;
}

/** What `always` can name. */
export type Kept = TracingOptions["always"][number];

export interface SharedOptions {
  readonly of?: number | undefined;
  readonly redact?: readonly string[] | undefined;
}

export interface RunningTracing extends Tracing {
  /**
   * Makes ready to record by other options; undefined: nothing is recorded. `of`: how many processes share
   * the bounds; `redact`: what the audit log redacts, which spans leave out. What it returns puts them in force for the requests that come. Throws where a file cannot
   * be read.
   */
  prepare(options: TracingOptions | undefined, shared?: SharedOptions): () => void;
  /** Both at once. */
  adjust(options: TracingOptions | undefined, shared?: SharedOptions): void;
  /** Sends what waits, within a bound. Never rejects. */
  close(): Promise<void>;
}

export interface TracingDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly readFile: (path: string) => Uint8Array;
  readonly version: string;
  readonly instance: string;
  readonly post?: SpanExporterDeps["post"] | undefined;
}

interface Settings {
  readonly options: TracingOptions;
  readonly redact: readonly string[];
  readonly threshold: string | undefined;
  readonly trusts: (listener: string) => boolean;
  readonly incoming: Allowance;
  readonly always: Allowance;
  readonly exporter: SpanExporter;
  readonly record: (identity: SpanIdentity, startedAt: number) => RequestSpans;
}

export function createTracing(deps: TracingDeps): RunningTracing {
  return new ProcessTracing(deps);
}

class ProcessTracing implements RunningTracing {
  readonly #deps: TracingDeps;
  readonly #counters;
  readonly #limited: Readonly<Record<"incoming" | "always", Counter>>;
  readonly #newTraceparent = createTraceparents();
  readonly #newSpanId = createSpanIds();
  /** Of former options: they still send. */
  readonly #ending = new Set<Promise<void>>();
  #settings: Settings | undefined;

  constructor(deps: TracingDeps) {
    this.#deps = deps;
    const { metrics } = deps;
    this.#counters = spanCounters(metrics);
    const limited = metrics.counter(
      "sallyport_traces_limited_total",
      "Requests that were not recorded because more than `tracing.perSecond` allows were to be.",
      ["bound"],
    );
    this.#limited = { incoming: limited.with("incoming"), always: limited.with("always") };
    metrics.sampled(
      "sallyport_trace_queue_spans",
      "Spans that wait to be exported.",
      () => this.#settings?.exporter.size ?? 0,
    );
  }

  adjust(options: TracingOptions | undefined, shared: SharedOptions = {}): void {
    this.prepare(options, shared)();
  }

  prepare(
    options: TracingOptions | undefined,
    { of = 1, redact = [] }: SharedOptions = {},
  ): () => void {
    const known = this.#settings;
    if (known !== undefined && options !== undefined) {
      if (same(known.options, options) && same(known.redact, redact)) return () => {};
    }
    const settings = options === undefined ? undefined : this.#compile(options, of, redact);
    return () => {
      const former = this.#settings;
      this.#settings = settings;
      if (former === undefined) return;
      // Requests that were begun by the former options may still end.
      const ending = former.exporter.close();
      this.#ending.add(ending);
      void ending.then(() => this.#ending.delete(ending));
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#settings?.exporter.close(), ...this.#ending]);
  }

  begin(request: TracedRequest): RequestTrace | undefined {
    const settings = this.#settings;
    const context = readTraceContext(request.head.fields);
    if (context !== undefined) {
      return settings === undefined ? passedOn(context) : this.#follow(context, request, settings);
    }
    if (settings === undefined) return undefined;
    const traceparent = this.#newTraceparent();
    if (!isKept(traceparent, settings.threshold)) return traceparent;
    return recorded(identityIn(traceparent), request.receivedAt, settings);
  }

  keep(
    trace: RequestTrace | undefined,
    why: readonly Kept[],
    startedAt: number,
  ): RequestTrace | undefined {
    const settings = this.#settings;
    if (trace === undefined || settings === undefined) return trace;
    if (typeof trace === "object" && trace.spans !== undefined) return trace;
    const { always } = settings.options;
    if (!why.some((one) => always.includes(one))) return trace;
    if (!settings.always.take(startedAt)) {
      this.#limited.always.inc();
      return trace;
    }
    const identity =
      typeof trace === "string"
        ? identityIn(trace)
        : this.#below(trace.traceparent, trace.tracestate);
    return recorded(identity, startedAt, settings);
  }

  /** A trace that a caller has begun. */
  #follow(context: TraceContext, request: TracedRequest, settings: Settings): KeptTrace {
    const { parent, text, tracestate } = context;
    const wanted = settings.trusts(request.connection.listener)
      ? parent.sampled
      : isKept(text, settings.threshold);
    if (wanted && settings.incoming.take(request.receivedAt)) {
      return recorded(this.#below(text, tracestate), request.receivedAt, settings);
    }
    if (wanted) this.#limited.incoming.inc();
    // The caller's span stays the parent: there is none of ours between it and the service's.
    const traceparent = formatTraceparent({ ...parent, sampled: false });
    return { traceId: parent.traceId, traceparent, tracestate, spans: undefined, told: true };
  }

  /** A span of ours, whose parent is the caller's. */
  #below(traceparent: string, tracestate: string | undefined): SpanIdentity {
    return {
      traceId: traceIdIn(traceparent),
      spanId: this.#newSpanId(),
      parentId: spanIdIn(traceparent),
      tracestate,
    };
  }

  #compile(options: TracingOptions, of: number, redact: readonly string[]): Settings {
    const { otlp, perSecond, principal } = options;
    const { clock } = this.#deps;
    const { ca } = otlp;
    const tls: ExchangeTls | undefined =
      ca === undefined ? undefined : { ca: Buffer.from(this.#deps.readFile(ca)).toString("utf8") };
    const exporter = new SpanExporter(
      {
        url: `${otlp.endpoint.replace(/\/+$/, "")}/v1/traces`,
        headers: otlp.headers,
        compression: otlp.compression,
        timeoutMs: otlp.timeout,
        tls,
        intervalMs: otlp.interval,
        queue: otlp.queue,
        serviceName: options.serviceName,
        resource: options.resource,
      },
      { ...this.#deps, counters: this.#counters },
    );
    const newSpanId = this.#newSpanId;
    const hide = hidingSpans(redact);
    const deps = {
      clock,
      newSpanId,
      principal,
      export: (spans: Parameters<SpanExporter["add"]>[0]) =>
        exporter.add(hide === undefined ? spans : spans.map(hide)),
    };
    return {
      options,
      redact,
      threshold: thresholdOf(options.sample),
      trusts: trusting(options.trustIncoming),
      incoming: new Allowance(perSecond.incoming / of),
      always: new Allowance(perSecond.always / of),
      exporter,
      record: (identity, startedAt) => new RequestSpans(identity, startedAt, deps),
    };
  }
}

function same<T extends object>(one: T, other: T): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function trusting(trusted: TracingOptions["trustIncoming"]): (listener: string) => boolean {
  if (typeof trusted === "boolean") return () => trusted;
  const names = new Set(trusted);
  return (listener) => names.has(listener);
}

/** As it came: whoever reads it here is the service. */
function passedOn({ parent, text, tracestate }: TraceContext): KeptTrace {
  const { traceId } = parent;
  return { traceId, traceparent: text, tracestate, spans: undefined, told: false };
}

/** Of a trace that begins here. */
function identityIn(traceparent: string): SpanIdentity {
  return {
    traceId: traceIdIn(traceparent),
    spanId: spanIdIn(traceparent),
    parentId: undefined,
    tracestate: undefined,
  };
}

function recorded(identity: SpanIdentity, startedAt: number, settings: Settings): KeptTrace {
  const spans = settings.record(identity, startedAt);
  const { traceId, traceparent } = spans;
  return { traceId, traceparent, tracestate: identity.tracestate, spans, told: true };
}

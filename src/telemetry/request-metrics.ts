/**
 * What the request path counts: requests by route, decision, reason and status; how long the gate
 * and the upstream took; bytes of bodies.
 *
 * No label value comes from a caller: routes are configured, reasons are a closed list, statuses are
 * the registered ones. Handles are bound once per combination and found by identity, so that
 * counting a request joins no texts.
 */
import { STATUS_CODES } from "node:http";
import type { Counter, Family, Histogram, Metrics } from "../model/ports.ts";
import { GRPC_STATUS } from "../model/grpc-status.ts";
import type { ShadowOutcome } from "../model/policy.ts";
import { isGranted, reasonInfo, type Reason } from "../model/reason.ts";
import type { CompletionRecord } from "../model/records.ts";

/** Seconds. The gate takes microseconds when every fact is at hand, and a round trip when not. */
const GATE_BUCKETS = [
  0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1, 5,
];

/** Seconds. */
const UPSTREAM_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Stands for requests that no route took; no route can be called so. */
const NO_ROUTE = "(none)";

/** Seconds. Above those of the upstream, a whole request has its bodies. */
const REQUEST_BUCKETS = [...UPSTREAM_BUCKETS, 60, 300];

/** How a permitted request ended; the figures of its completion record. */
export type CompletedRequest = Pick<
  CompletionRecord,
  "status" | "grpcStatus" | "requestBytes" | "responseBytes" | "upstreamMs" | "end"
> & {
  /** Undefined for a stream, which lasts as long as both ends like. */
  readonly durationMs?: number | undefined;
};

export interface RequestMetrics {
  /**
   * The gate has decided, after `gateMs` milliseconds. A denied request is counted here, a permitted one
   * when it has ended. `grpc`: it is a gRPC call, and answered as one. `id`: of the decision, for exemplars.
   */
  decided(
    route: string | undefined,
    reason: Reason,
    gateMs: number,
    grpc?: boolean,
    id?: string,
  ): void;
  /** A token that is bound to nobody was taken on a route that reports them. */
  unbound(route: string): void;
  /** A candidate set of policies was asked beside the one in force. */
  shadowed(outcome: ShadowOutcome): void;
  /** A permitted request has ended. */
  completed(route: string | undefined, outcome: CompletedRequest, id?: string): void;
}

/** Registers the families. Call it once; routes may come and go. */
export function createRequestMetrics(metrics: Metrics): RequestMetrics {
  const families = registerFamilies(metrics);
  const routes = new Map<string | undefined, RouteHandles>();
  const shadows = new Map<ShadowOutcome, Counter>();
  const permitted = families.gate.with("permit");
  const denied = families.gate.with("deny");

  function handlesOf(route: string | undefined): RouteHandles {
    const found = routes.get(route);
    if (found !== undefined) return found;
    const made = bindRoute(families, route ?? NO_ROUTE);
    routes.set(route, made);
    return made;
  }

  return {
    decided(route, reason, gateMs, grpc = false, id) {
      const handles = handlesOf(route);
      const outcome = outcomeOf(reason);
      (outcome === "permit" ? permitted : denied).observe(gateMs / 1000, id);
      if (reason === "permitted") {
        handles.decision(reason).inc();
        return;
      }
      // We answered it ourselves: a refusal, or what was given (a session).
      handles.decision(reason).inc(1, id);
      const info = reasonInfo(reason);
      handles.request(outcome, reason, grpc ? 200 : info.status).inc();
      if (grpc) handles.call(GRPC_STATUS[info.grpc]).inc();
    },
    unbound(route) {
      families.unbound.with(route).inc();
    },
    shadowed(outcome) {
      remembered(shadows, outcome, () => families.shadows.with(outcome)).inc();
    },
    completed(route, outcome, id) {
      const handles = handlesOf(route);
      const reason = outcome.end === "complete" ? "permitted" : outcome.end;
      const failed = outcome.end === "complete" ? undefined : id;
      handles.request("permit", reason, outcome.status).inc(1, failed);
      if (outcome.grpcStatus !== undefined) handles.call(outcome.grpcStatus).inc();
      if (outcome.upstreamMs !== undefined) handles.upstream.observe(outcome.upstreamMs / 1000, id);
      if (outcome.durationMs !== undefined) handles.whole.observe(outcome.durationMs / 1000, id);
      handles.received.inc(outcome.requestBytes);
      handles.sent.inc(outcome.responseBytes);
    },
  };
}

interface Families {
  readonly requests: Family<Counter>;
  readonly calls: Family<Counter>;
  readonly decisions: Family<Counter>;
  readonly unbound: Family<Counter>;
  readonly shadows: Family<Counter>;
  readonly gate: Family<Histogram>;
  readonly upstream: Family<Histogram>;
  readonly whole: Family<Histogram>;
  readonly received: Family<Counter>;
  readonly sent: Family<Counter>;
}

interface RouteHandles {
  decision(reason: Reason): Counter;
  request(decision: "permit" | "deny", reason: Reason, status: number): Counter;
  /** A gRPC call that ended with this status. */
  call(grpcStatus: number): Counter;
  readonly upstream: Histogram;
  readonly whole: Histogram;
  readonly received: Counter;
  readonly sent: Counter;
}

function registerFamilies(metrics: Metrics): Families {
  const labels = ["route"];
  return {
    requests: metrics.counter(
      "sallyport_requests",
      "Requests that have ended, by what was decided, why they ended as they did, and the status sent (0: none).",
      ["route", "decision", "reason", "status"],
    ),
    calls: metrics.counter(
      "sallyport_grpc_calls",
      "gRPC calls over HTTP/2 that have ended, by the status that the caller was given.",
      ["route", "grpc_status"],
    ),
    decisions: metrics.counter("sallyport_decisions", "Decisions of the gate.", [
      "route",
      "decision",
      "reason",
    ]),
    unbound: metrics.counter(
      "sallyport_unbound_tokens",
      "Tokens that are bound to no key and no certificate, on routes with `confirmation: report`: what `required` would refuse.",
      labels,
    ),
    shadows: metrics.counter(
      "sallyport_shadow_decisions",
      "Decisions of the candidate policies (`policies.shadow`) beside those in force: the same answer, one that would permit what was denied or deny what was permitted, or none because they could not be evaluated.",
      ["outcome"],
    ),
    gate: metrics.histogram("sallyport_gate_seconds", "How long the gate took to decide.", {
      buckets: GATE_BUCKETS,
      labels: ["decision"],
    }),
    upstream: metrics.histogram(
      "sallyport_upstream_seconds",
      "From sending the request head to the response head of the service.",
      { buckets: UPSTREAM_BUCKETS, labels },
    ),
    whole: metrics.histogram(
      "sallyport_request_seconds",
      "From the head of a permitted request to the end of its answer, streams apart.",
      { buckets: REQUEST_BUCKETS, labels },
    ),
    received: metrics.counter(
      "sallyport_request_body_bytes",
      "Body bytes from callers, for permitted requests.",
      labels,
    ),
    sent: metrics.counter(
      "sallyport_response_body_bytes",
      "Body bytes to callers, for permitted requests.",
      labels,
    ),
  };
}

function bindRoute(families: Families, route: string): RouteHandles {
  const decisions = new Map<Reason, Counter>();
  const calls = new Map<number, Counter>();
  const requests = {
    permit: new Map<Reason, Map<number, Counter>>(),
    deny: new Map<Reason, Map<number, Counter>>(),
  };
  return {
    upstream: families.upstream.with(route),
    whole: families.whole.with(route),
    received: families.received.with(route),
    sent: families.sent.with(route),
    call: (grpcStatus) =>
      remembered(calls, grpcStatus, () =>
        families.calls.with(route, GRPC_NAMES.get(grpcStatus) ?? "other"),
      ),
    decision: (reason) =>
      remembered(decisions, reason, () =>
        families.decisions.with(route, outcomeOf(reason), reason),
      ),
    request(decision, reason, status) {
      const byStatus = remembered(requests[decision], reason, () => new Map<number, Counter>());
      const known = statusLabel(status) === undefined ? -1 : status;
      return remembered(byStatus, known, () =>
        families.requests.with(route, decision, reason, statusLabel(known) ?? "other"),
      );
    },
  };
}

/** As it is on record. */
function outcomeOf(reason: Reason): "permit" | "deny" {
  return isGranted(reason) ? "permit" : "deny";
}

/** By name, as dashboards for gRPC have it. */
const GRPC_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(GRPC_STATUS).map(([name, status]) => [status, name]),
);

/** A service may answer with any number; those that are not registered share one label. */
function statusLabel(status: number): string | undefined {
  return status === 0 || STATUS_CODES[status] !== undefined ? String(status) : undefined;
}

function remembered<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/**
 * What services count: failures by endpoint and kind, changes of state, retries, the waiting line,
 * health checks, resolutions; and, read when scraped, how many endpoints are in which state and what
 * each has to do.
 *
 * Label values are what the configuration names, closed lists, and, for what is read when scraped,
 * the endpoints that are there now: names that DNS gave and took back leave nothing behind.
 */
import type { Counter, Family, Metrics, Sample } from "../model/ports.ts";

/** An endpoint as it is now. */
export interface EndpointView {
  /** `host:port`. */
  readonly name: string;
  readonly state: EndpointStateName;
  readonly requests: number;
  readonly connections: number;
}

export const ENDPOINT_STATES = ["ready", "resting", "unhealthy", "ejected"] as const;

export type EndpointStateName = (typeof ENDPOINT_STATES)[number];

/** A service as it is now. */
export interface ServiceView {
  readonly endpoints: readonly EndpointView[];
  readonly waiting: number;
  readonly panic: boolean;
}

/** The counters of one service. `endpoint` is as the configuration writes it. */
export interface ServiceMetrics {
  failure(endpoint: string, kind: string): void;
  state(endpoint: string, state: string): void;
  panic(begins: boolean): void;
  retry(outcome: string): void;
  queue(outcome: string): void;
  health(endpoint: string, outcome: string): void;
  resolution(endpoint: string, outcome: string): void;
  /** Shows the service until the returned function is called. Of two of one name the newer is shown. */
  show(read: () => ServiceView): () => void;
}

export interface UpstreamMetrics {
  service(name: string): ServiceMetrics;
  /** As the service of this name is now; undefined while none is shown. */
  view(name: string): ServiceView | undefined;
}

/** Registers the families. Call it once; services may come and go. */
export function createUpstreamMetrics(metrics: Metrics): UpstreamMetrics {
  const families = registerCounters(metrics);
  const shown = new Map<string, () => ServiceView>();
  registerGauges(metrics, shown);
  return {
    view: (name) => shown.get(name)?.(),
    service: (name) => ({
      failure: (endpoint, kind) => families.failures.with(name, endpoint, kind).inc(),
      state: (endpoint, state) => families.states.with(name, endpoint, state).inc(),
      panic: (begins) => families.panics.with(name, begins ? "begins" : "ends").inc(),
      retry: (outcome) => families.retries.with(name, outcome).inc(),
      queue: (outcome) => families.queue.with(name, outcome).inc(),
      health: (endpoint, outcome) => families.health.with(name, endpoint, outcome).inc(),
      resolution: (endpoint, outcome) => families.resolutions.with(name, endpoint, outcome).inc(),
      show(read) {
        shown.set(name, read);
        return () => {
          if (shown.get(name) === read) shown.delete(name);
        };
      },
    }),
  };
}

interface Counters {
  readonly failures: Family<Counter>;
  readonly states: Family<Counter>;
  readonly panics: Family<Counter>;
  readonly retries: Family<Counter>;
  readonly queue: Family<Counter>;
  readonly health: Family<Counter>;
  readonly resolutions: Family<Counter>;
}

function registerCounters(metrics: Metrics): Counters {
  return {
    failures: metrics.counter(
      "sallyport_upstream_failures",
      "Attempts that an endpoint failed: connect, reset, timeout, protocol.",
      ["service", "endpoint", "kind"],
    ),
    states: metrics.counter(
      "sallyport_upstream_state_changes",
      "Changes of an endpoint's state, by what it became.",
      ["service", "endpoint", "state"],
    ),
    panics: metrics.counter(
      "sallyport_upstream_panics",
      "Times that so few endpoints were in order that all were used, and that this ended.",
      ["service", "change"],
    ),
    retries: metrics.counter(
      "sallyport_upstream_retries",
      "Requests that were sent again, or were not for the reason named.",
      ["service", "outcome"],
    ),
    queue: metrics.counter(
      "sallyport_upstream_queue",
      "Requests that met only endpoints with as many requests as they may have.",
      ["service", "outcome"],
    ),
    health: metrics.counter("sallyport_upstream_health_checks", "Health checks, by outcome.", [
      "service",
      "endpoint",
      "outcome",
    ]),
    resolutions: metrics.counter(
      "sallyport_upstream_resolutions",
      "Resolutions of endpoint names, by outcome.",
      ["service", "endpoint", "outcome"],
    ),
  };
}

function registerGauges(metrics: Metrics, shown: ReadonlyMap<string, () => ServiceView>): void {
  const each = (samples: (service: string, view: ServiceView) => Iterable<Sample>) => () =>
    [...shown].flatMap(([service, read]) => [...samples(service, read())]);
  metrics.sampledEach("sallyport_upstream_endpoints", "Endpoints by state.", {
    labels: ["service", "state"],
    read: each((service, { endpoints }) =>
      ENDPOINT_STATES.map((state) => ({
        labels: [service, state],
        value: endpoints.filter((one) => one.state === state).length,
      })),
    ),
  });
  metrics.sampledEach("sallyport_upstream_requests", "Requests that each endpoint has now.", {
    labels: ["service", "endpoint"],
    read: each((service, { endpoints }) =>
      endpoints.map(({ name, requests }) => ({ labels: [service, name], value: requests })),
    ),
  });
  metrics.sampledEach("sallyport_upstream_connections", "Connections open to each endpoint.", {
    labels: ["service", "endpoint"],
    read: each((service, { endpoints }) =>
      endpoints.map(({ name, connections }) => ({ labels: [service, name], value: connections })),
    ),
  });
  metrics.sampledEach("sallyport_upstream_waiting", "Requests that wait for an endpoint.", {
    labels: ["service"],
    read: each((service, { waiting }) => [{ labels: [service], value: waiting }]),
  });
  metrics.sampledEach(
    "sallyport_upstream_panic",
    "1 while all endpoints are used for want of healthy ones.",
    {
      labels: ["service"],
      read: each((service, { panic }) => [{ labels: [service], value: panic ? 1 : 0 }]),
    },
  );
}

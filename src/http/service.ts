/**
 * The endpoints of one service. A balancer chooses among them; one that just refused a connection is
 * passed over for a short while, as long as another one is there.
 */
import type { Clock, Log, Timers } from "../model/ports.ts";
import type { ServiceMetrics, ServiceView } from "../telemetry/upstream-metrics.ts";
import type { Fields } from "../model/http.ts";
import type { Balancer } from "./balance/balancer.ts";
import { createBalancer } from "./balance/create.ts";
import { EndpointState } from "./endpoint-state.ts";
import type {
  Exchange,
  Forwarded,
  ForwardObserver,
  Upstream,
  UpstreamRequest,
} from "./exchange.ts";
import { Forward } from "./forward.ts";
import type { ForwardService } from "./sending.ts";
import type { ServiceOptions } from "./service-options.ts";
import type { Deadlines } from "./deadlines.ts";
import { Retries } from "./retry/retries.ts";
import { WaitingLine } from "./retry/waiting-line.ts";
import { connectTcp } from "./sockets.ts";
import { type PoolDeps, UpstreamPool } from "./upstream-pool.ts";

export interface UpstreamDeps {
  /** As the configuration names it. */
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly deadlines: Deadlines;
  /** Hears of defects of ours; what services do wrong is in the outcomes. */
  readonly log: Log;
  /** Trailers that a service may see: without the names in which we speak (design: strip, then set). */
  readonly requestTrailers: (trailers: Fields) => Fields;
  /** Trailers that a caller may see. */
  readonly responseTrailers: (trailers: Fields) => Fields;
  readonly metrics: ServiceMetrics;
  /** From 0 to below 1, for balancers that draw and back-off; `Math.random` when left out. */
  readonly random?: () => number;
  /** How sockets are opened; plain TCP when left out. */
  readonly openSocket?: PoolDeps["openSocket"];
}

/** The service's endpoints as one `Upstream`. `options` are as the schema checked them. */
export function createUpstream(options: ServiceOptions, deps: UpstreamDeps): Upstream {
  return new Service(options, deps);
}

class Service implements Upstream, ForwardService {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly timers: Timers;
  readonly log: Log;
  readonly requestTrailers: (trailers: Fields) => Fields;
  readonly responseTrailers: (trailers: Fields) => Fields;
  readonly retries: Retries | undefined;
  readonly line: WaitingLine | undefined;
  readonly #endpoints: readonly EndpointState[];
  readonly #balancer: Balancer;
  readonly #stopShowing: () => void;

  constructor(options: ServiceOptions, deps: UpstreamDeps) {
    this.clock = deps.clock;
    this.deadlines = deps.deadlines;
    this.timers = deps.timers;
    this.log = deps.log;
    this.requestTrailers = deps.requestTrailers;
    this.responseTrailers = deps.responseTrailers;
    const { random = Math.random } = deps;
    this.#balancer = balancerOf(options, random);
    this.#endpoints = createEndpoints(options, deps);
    this.retries =
      options.retries &&
      new Retries(options.retries, {
        random,
        inFlight: () => this.#inFlight,
        noted: (outcome) => deps.metrics.retry(outcome),
      });
    this.line = this.#lineOf(options, deps);
    this.#stopShowing = deps.metrics.show(() => this.#view());
  }

  forward(exchange: Exchange, request: UpstreamRequest, observer: ForwardObserver): Forwarded {
    const forward = new Forward(this, { exchange, request, observer });
    forward.start();
    return forward;
  }

  close(): void {
    this.#stopShowing();
    for (const endpoint of this.#endpoints) endpoint.pool.close();
  }

  pick(tried: readonly EndpointState[], key: string | undefined): EndpointState | undefined {
    const endpoints = this.#endpoints;
    const only = endpoints.length === 1 ? endpoints[0] : undefined;
    if (only !== undefined) return only.full || tried.length > 0 ? undefined : only;
    return this.#balancer.pick(endpoints, tried, key) ?? firstWithRoom(endpoints, tried);
  }

  get #inFlight(): number {
    return this.#endpoints.reduce((sum, endpoint) => sum + endpoint.active, 0);
  }

  #lineOf({ breaker }: ServiceOptions, { metrics }: UpstreamDeps): WaitingLine | undefined {
    if (breaker === undefined || breaker.queue === 0) return undefined;
    return new WaitingLine(
      { max: breaker.queue, timeoutMs: breaker.queueTimeout },
      {
        hasRoom: () => this.#endpoints.some((endpoint) => !endpoint.full),
        noted: (outcome) => metrics.queue(outcome),
      },
    );
  }

  #view(): ServiceView {
    return {
      endpoints: this.#endpoints.map((endpoint) => ({
        name: endpoint.name,
        state: endpoint.state,
        requests: endpoint.active,
        connections: endpoint.pool.size,
      })),
      waiting: this.line?.length ?? 0,
      panic: false,
    };
  }
}

function balancerOf({ balance, hash }: ServiceOptions, random: () => number): Balancer {
  return createBalancer(balance, { maxLoad: hash?.maxLoad ?? Number.POSITIVE_INFINITY }, random);
}

function createEndpoints(options: ServiceOptions, deps: UpstreamDeps): EndpointState[] {
  const { connections, keepAlive, breaker } = options;
  const poolOptions = { maxConnections: connections, idleTimeoutMs: keepAlive };
  const { deadlines, log, openSocket = connectTcp } = deps;
  const capacity = Math.min(connections, breaker?.requests ?? connections);
  return options.endpoints
    .filter(({ weight }) => weight > 0)
    .map((endpoint) => {
      const pool = new UpstreamPool(endpoint, poolOptions, { deadlines, log, openSocket });
      return new EndpointState(pool, { weight: endpoint.weight, capacity }, deadlines);
    });
}

/** Where all that have room are resting, one of them is better than none. */
function firstWithRoom(
  endpoints: readonly EndpointState[],
  tried: readonly EndpointState[],
): EndpointState | undefined {
  return endpoints.find((endpoint) => !endpoint.full && !tried.includes(endpoint));
}

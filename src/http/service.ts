/**
 * The endpoints of one service. A balancer chooses among them; one that just refused a connection is
 * passed over for a short while, as long as another one is there.
 */
import type { Clock, Log } from "../model/ports.ts";
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
import { Forward, type ForwardService } from "./forward.ts";
import type { ServiceOptions } from "./service-options.ts";
import type { Deadlines } from "./deadlines.ts";
import { connectTcp } from "./sockets.ts";
import { type PoolDeps, UpstreamPool } from "./upstream-pool.ts";

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Hears of defects of ours; what services do wrong is in the outcomes. */
  readonly log: Log;
  /** Trailers that a service may see: without the names in which we speak (design: strip, then set). */
  readonly requestTrailers: (trailers: Fields) => Fields;
  /** Trailers that a caller may see. */
  readonly responseTrailers: (trailers: Fields) => Fields;
  /** From 0 to below 1, for balancers that draw; `Math.random` when left out. */
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
  readonly log: Log;
  readonly requestTrailers: (trailers: Fields) => Fields;
  readonly responseTrailers: (trailers: Fields) => Fields;
  readonly #endpoints: readonly EndpointState[];
  readonly #balancer: Balancer;

  constructor(options: ServiceOptions, deps: UpstreamDeps) {
    this.clock = deps.clock;
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.requestTrailers = deps.requestTrailers;
    this.responseTrailers = deps.responseTrailers;
    const { balance, hash } = options;
    const hashing = { maxLoad: hash?.maxLoad ?? Number.POSITIVE_INFINITY };
    this.#balancer = createBalancer(balance, hashing, deps.random ?? Math.random);
    const poolOptions = {
      maxConnections: options.connections,
      idleTimeoutMs: options.keepAlive,
    };
    const { deadlines, log, openSocket = connectTcp } = deps;
    const poolDeps = { deadlines, log, openSocket };
    const weighted = options.endpoints.filter(({ weight }) => weight > 0);
    this.#endpoints = weighted.map((endpoint) => {
      const pool = new UpstreamPool(endpoint, poolOptions, poolDeps);
      const { weight } = endpoint;
      return new EndpointState(pool, { weight, capacity: options.connections }, deadlines);
    });
  }

  forward(exchange: Exchange, request: UpstreamRequest, observer: ForwardObserver): Forwarded {
    const forward = new Forward(this, { exchange, request, observer });
    forward.start();
    return forward;
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.pool.close();
  }

  pick(tried: readonly EndpointState[], key: string | undefined): EndpointState | undefined {
    const endpoints = this.#endpoints;
    const only = endpoints.length === 1 ? endpoints[0] : undefined;
    if (only !== undefined) return only.full || tried.length > 0 ? undefined : only;
    return this.#balancer.pick(endpoints, tried, key) ?? firstWithRoom(endpoints, tried);
  }
}

/** Where all that have room are resting, one of them is better than none. */
function firstWithRoom(
  endpoints: readonly EndpointState[],
  tried: readonly EndpointState[],
): EndpointState | undefined {
  return endpoints.find((endpoint) => !endpoint.full && !tried.includes(endpoint));
}

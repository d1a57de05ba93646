/**
 * The endpoints of one service. A balancer chooses among them; one that just refused a connection is
 * passed over for a short while, as long as another one is there.
 */
import type { Clock, Log, NameResolver, Timers } from "../model/ports.ts";
import type { ServiceMetrics, ServiceView } from "../telemetry/upstream-metrics.ts";
import type { Fields } from "../model/http.ts";
import type { Balancer } from "./balance/balancer.ts";
import { createBalancer } from "./balance/create.ts";
import { EndpointSet } from "./endpoint-set.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { Exchange, Forwarded, ForwardObserver, UpstreamRequest } from "./exchange.ts";
import { Forward } from "./forward.ts";
import type { ForwardService } from "./sending.ts";
import type { ServiceOptions } from "./service-options.ts";
import type { Deadlines } from "./deadlines.ts";
import { Retries } from "./retry/retries.ts";
import { WaitingLine } from "./retry/waiting-line.ts";
import type { Records, RunningService } from "./running-services.ts";
import { connectTcp } from "./sockets.ts";
import type { PoolDeps } from "./endpoint.ts";

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
  readonly resolver: NameResolver;
  /** What is known of endpoints from before a reload. */
  readonly records?: Records;
  /** From 0 to below 1, for balancers that draw and back-off; `Math.random` when left out. */
  readonly random?: () => number;
  /** How sockets are opened; plain TCP when left out. */
  readonly openSocket?: PoolDeps["openSocket"];
}

/** The service's endpoints as one `Upstream`. `options` are as the schema checked them. */
export function createUpstream(options: ServiceOptions, deps: UpstreamDeps): RunningService {
  return new Service(options, deps);
}

class Service implements RunningService, ForwardService {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly timers: Timers;
  readonly log: Log;
  readonly requestTrailers: (trailers: Fields) => Fields;
  readonly responseTrailers: (trailers: Fields) => Fields;
  readonly retries: Retries | undefined;
  readonly line: WaitingLine | undefined;
  readonly #endpoints: EndpointSet;
  readonly #balancer: Balancer;
  readonly #metrics: ServiceMetrics;
  #stopShowing: (() => void) | undefined;

  constructor(options: ServiceOptions, deps: UpstreamDeps) {
    this.clock = deps.clock;
    this.deadlines = deps.deadlines;
    this.timers = deps.timers;
    this.log = deps.log;
    this.requestTrailers = deps.requestTrailers;
    this.responseTrailers = deps.responseTrailers;
    const { random = Math.random } = deps;
    this.#balancer = balancerOf(options, random);
    this.retries =
      options.retries &&
      new Retries(options.retries, {
        random,
        inFlight: () => this.#inFlight,
        noted: (outcome) => deps.metrics.retry(outcome),
      });
    this.line = this.#lineOf(options, deps);
    const { openSocket = connectTcp, records = new Map() } = deps;
    const changed = (): void => this.line?.wake();
    const setDeps = { ...deps, random, openSocket, changed };
    this.#endpoints = new EndpointSet(options, setDeps, records);
    this.#metrics = deps.metrics;
  }

  forward(exchange: Exchange, request: UpstreamRequest, observer: ForwardObserver): Forwarded {
    const forward = new Forward(this, { exchange, request, observer });
    forward.start();
    return forward;
  }

  async start(): Promise<void> {
    this.#stopShowing ??= this.#metrics.show(() => this.#view());
    await this.#endpoints.start();
  }

  records(): Records {
    return this.#endpoints.records();
  }

  close(): void {
    this.#stopShowing?.();
    this.#endpoints.close();
  }

  pick(tried: readonly EndpointState[], key: string | undefined): EndpointState | undefined {
    const endpoints = this.#endpoints.ready;
    const only = endpoints.length === 1 ? endpoints[0] : undefined;
    if (only !== undefined) return only.full || tried.length > 0 ? undefined : only;
    return this.#balancer.pick(endpoints, tried, key) ?? firstWithRoom(endpoints, tried);
  }

  get empty(): boolean {
    return this.#endpoints.ready.length === 0;
  }

  get #inFlight(): number {
    return this.#endpoints.all.reduce((sum, endpoint) => sum + endpoint.active, 0);
  }

  #lineOf({ breaker }: ServiceOptions, { metrics }: UpstreamDeps): WaitingLine | undefined {
    if (breaker === undefined || breaker.queue === 0) return undefined;
    return new WaitingLine(
      { max: breaker.queue, timeoutMs: breaker.queueTimeout },
      {
        hasRoom: () => this.#endpoints.ready.some((endpoint) => !endpoint.full),
        noted: (outcome) => metrics.queue(outcome),
      },
    );
  }

  #view(): ServiceView {
    return {
      endpoints: this.#endpoints.all.map(({ view }) => view),
      waiting: this.line?.length ?? 0,
      panic: this.#endpoints.panic,
    };
  }
}

function balancerOf({ balance, hash }: ServiceOptions, random: () => number): Balancer {
  return createBalancer(balance, { maxLoad: hash?.maxLoad ?? Number.POSITIVE_INFINITY }, random);
}

/** Where all that have room are resting, one of them is better than none. */
function firstWithRoom(
  endpoints: readonly EndpointState[],
  tried: readonly EndpointState[],
): EndpointState | undefined {
  return endpoints.find((endpoint) => !endpoint.full && !tried.includes(endpoint));
}

/**
 * The endpoints of one service, taken in turn. An endpoint that just refused a connection is passed
 * over for a short while, as long as another one is there.
 */
import type { Clock, Log } from "../model/ports.ts";
import type { Fields } from "../model/http.ts";
import type { Exchange, ForwardObserver, Upstream, UpstreamRequest } from "./exchange.ts";
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
  readonly #pools: readonly UpstreamPool[];
  #turn = 0;

  constructor(options: ServiceOptions, deps: UpstreamDeps) {
    this.clock = deps.clock;
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.requestTrailers = deps.requestTrailers;
    this.responseTrailers = deps.responseTrailers;
    const poolOptions = {
      maxConnections: options.connections,
      idleTimeoutMs: options.keepAlive,
    };
    const { deadlines, log, openSocket = connectTcp } = deps;
    const poolDeps = { deadlines, log, openSocket };
    this.#pools = options.endpoints.map((url) => new UpstreamPool(url, poolOptions, poolDeps));
  }

  forward(exchange: Exchange, request: UpstreamRequest, observer: ForwardObserver): void {
    new Forward(this, { exchange, request, observer }).start();
  }

  close(): void {
    for (const pool of this.#pools) pool.close();
  }

  pick(tried: readonly UpstreamPool[]): UpstreamPool | undefined {
    const pools = this.#pools;
    let resting: UpstreamPool | undefined;
    for (let step = 0; step < pools.length; step += 1) {
      const pool = pools[(this.#turn + step) % pools.length];
      if (pool === undefined || tried.includes(pool)) continue;
      if (!pool.resting) {
        this.#turn = (this.#turn + step + 1) % pools.length;
        return pool;
      }
      resting ??= pool;
    }
    return resting;
  }
}

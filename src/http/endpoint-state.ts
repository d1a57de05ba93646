/**
 * One endpoint as its service sees it: its connections, how many requests it has, and whether it is
 * passed over.
 */
import type { Candidate } from "./balance/balancer.ts";
import type { EndpointStateName } from "../telemetry/upstream-metrics.ts";
import { hashText } from "./balance/hash.ts";
import type { Deadlines } from "./deadlines.ts";
import type { FailureKind } from "./attempt-failure.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

const LIMITS = {
  /** How long an endpoint that refused a connection is passed over while others are there. */
  restMs: 2000,
} as const;

export interface EndpointOptions {
  readonly weight: number;
  /** Requests at once. */
  readonly capacity: number;
}

export class EndpointState implements Candidate {
  readonly pool: UpstreamPool;
  readonly weight: number;
  readonly seed: number;
  readonly #deadlines: Deadlines;
  readonly #capacity: number;
  #active = 0;
  #restsUntil = 0;

  constructor(pool: UpstreamPool, options: EndpointOptions, deadlines: Deadlines) {
    this.pool = pool;
    this.weight = options.weight;
    this.seed = hashText(pool.name);
    this.#capacity = options.capacity;
    this.#deadlines = deadlines;
  }

  /** `host:port`, as records name it. */
  get name(): string {
    return this.pool.name;
  }

  get active(): number {
    return this.#active;
  }

  get open(): boolean {
    return !this.full && !this.resting;
  }

  /** Whether it has as many requests as it may have at once. */
  get full(): boolean {
    return this.#active >= this.#capacity;
  }

  /** Whether it refused a connection a moment ago. */
  get resting(): boolean {
    return this.#restsUntil > this.#deadlines.coarseNow;
  }

  /** What operators see it as. */
  get state(): EndpointStateName {
    return this.resting ? "resting" : "ready";
  }

  /** A request goes to it; `left` follows once. */
  entered(): void {
    this.#active += 1;
  }

  left(): void {
    this.#active -= 1;
  }

  /** It failed a request; what callers do wrong does not count. */
  failed(kind: FailureKind): void {
    if (kind === "connect") this.#restsUntil = this.#deadlines.coarseNow + LIMITS.restMs;
  }
}

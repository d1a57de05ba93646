/**
 * One endpoint as its service sees it: its connections, how many requests it has, what is known of
 * its health, and whether it is passed over.
 */
import type { EndpointStateName, EndpointView } from "../telemetry/upstream-metrics.ts";
import type { FailureKind } from "./attempt-failure.ts";
import type { Candidate } from "./balance/balancer.ts";
import { hashText } from "./balance/hash.ts";
import type { Deadlines } from "./deadlines.ts";
import { type EndpointRecord, isFit, newRecord } from "./health/endpoint-record.ts";
import type { ServiceConnection, ServicePool } from "./service-connection.ts";

const LIMITS = {
  /** How long an endpoint that refused a connection is passed over while others are there. */
  restMs: 2000,
} as const;

export interface EndpointOptions {
  /** As the configuration writes it: what metrics call it. */
  readonly label: string;
  readonly weight: number;
  /** Requests at once, where they are fewer than the pool can carry; else infinity. */
  readonly capacity: number;
  /** What was known of it before a reload. */
  readonly record?: EndpointRecord | undefined;
}

/** Who hears of how it does. */
export interface EndpointWatch {
  readonly deadlines: Deadlines;
  failed(endpoint: EndpointState, kind: FailureKind): void;
  /** It refused a connection and is passed over for a while. */
  rests(endpoint: EndpointState): void;
  /** Undefined where nobody looks at statuses. */
  readonly answered: ((endpoint: EndpointState, status: number) => void) | undefined;
}

export class EndpointState implements Candidate {
  readonly pool: ServicePool;
  readonly label: string;
  readonly weight: number;
  readonly seed: number;
  readonly record: EndpointRecord;
  readonly #watch: EndpointWatch;
  readonly #capacity: number;
  #active = 0;
  #restsUntil = 0;

  constructor(pool: ServicePool, options: EndpointOptions, watch: EndpointWatch) {
    this.pool = pool;
    this.label = options.label;
    this.weight = options.weight;
    this.seed = hashText(pool.name);
    this.record = options.record === undefined ? newRecord() : { ...options.record };
    this.#capacity = options.capacity;
    this.#watch = watch;
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

  /** Whether it is in order, as far as anybody knows. */
  get fit(): boolean {
    return isFit(this.record);
  }

  /** Whether it has as many requests as it may have at once. */
  get full(): boolean {
    return this.#active >= this.#capacity || this.#active >= this.pool.capacity;
  }

  /** Whether it refused a connection a moment ago. */
  get resting(): boolean {
    return this.#restsUntil > this.#watch.deadlines.coarseNow;
  }

  /** How operators see it. */
  get view(): EndpointView {
    const { name, active, pool } = this;
    return { name, state: this.#state, requests: active, connections: pool.size };
  }

  /** A request goes to it; `left` follows once. */
  entered(): void {
    this.#active += 1;
  }

  left(): void {
    this.#active -= 1;
  }

  /** The head of an answer has come. */
  answered(status: number): void {
    this.#watch.answered?.(this, status);
  }

  /** It failed a request; what callers do wrong does not count. */
  failed(kind: FailureKind): void {
    this.#watch.failed(this, kind);
    if (kind !== "connect") return;
    const { resting } = this;
    this.#restsUntil = this.#watch.deadlines.coarseNow + LIMITS.restMs;
    if (!resting) this.#watch.rests(this);
  }

  /** Patient: a way for one health check. */
  connectAside(): ServiceConnection {
    return this.pool.connectAside();
  }

  get #state(): EndpointStateName {
    if (this.record.ejected) return "ejected";
    if (this.record.health === "unhealthy") return "unhealthy";
    return this.resting ? "resting" : "ready";
  }
}

/**
 * The endpoints of one service: who is there, who is in order, and what happens when that changes.
 * Where too few are in order all are used (panic): to spread requests over endpoints that may be well
 * is better than to finish off the few that certainly are.
 */
import type { Clock, Log, LogFields, Timers } from "../model/ports.ts";
import type { ServiceMetrics } from "../telemetry/upstream-metrics.ts";
import type { FailureKind } from "./attempt-failure.ts";
import type { Deadlines } from "./deadlines.ts";
import { EndpointState, type EndpointWatch } from "./endpoint-state.ts";
import type { EndpointRecord } from "./health/endpoint-record.ts";
import { HealthChecks } from "./health/health-checks.ts";
import { Outliers } from "./health/outliers.ts";
import type { ServiceEndpoint, ServiceOptions } from "./service-options.ts";
import { type PoolDeps, UpstreamPool } from "./upstream-pool.ts";

export interface EndpointSetDeps {
  /** Of the service, as the configuration names it. */
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly metrics: ServiceMetrics;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly openSocket: PoolDeps["openSocket"];
  /** There may be room where there was none. */
  readonly changed: () => void;
}

export class EndpointSet implements EndpointWatch {
  readonly deadlines: Deadlines;
  readonly answered: ((endpoint: EndpointState, status: number) => void) | undefined;
  readonly #options: ServiceOptions;
  readonly #deps: EndpointSetDeps;
  readonly #checks: HealthChecks<EndpointState> | undefined;
  readonly #outliers: Outliers<EndpointState> | undefined;
  #all: readonly EndpointState[] = [];
  #ready: readonly EndpointState[] = [];
  #panic = false;
  #running = false;

  /** `records` is what was known before a reload, by the endpoints' names. */
  constructor(
    options: ServiceOptions,
    deps: EndpointSetDeps,
    records: ReadonlyMap<string, EndpointRecord>,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.deadlines = deps.deadlines;
    const { outliers, health } = options;
    if (outliers !== undefined) this.#outliers = this.#newOutliers(outliers);
    if (health !== undefined) this.#checks = this.#newChecks(health);
    const watcher = this.#outliers;
    this.answered = watcher && ((endpoint, status) => watcher.answered(endpoint, status));
    this.#all = options.endpoints
      .filter(({ weight }) => weight > 0)
      .map((endpoint) => this.#newEndpoint(endpoint, records));
    this.#refresh();
  }

  /** All, in order or not. */
  get all(): readonly EndpointState[] {
    return this.#all;
  }

  /** Those that requests go to. Another list whenever somebody comes or goes. */
  get ready(): readonly EndpointState[] {
    return this.#ready;
  }

  get panic(): boolean {
    return this.#panic;
  }

  /** What is known of each, for whoever comes after this set. */
  records(): ReadonlyMap<string, EndpointRecord> {
    return new Map(this.#all.map(({ name, record }) => [name, record]));
  }

  /** From now on endpoints are checked. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const endpoint of this.#all) this.#watch(endpoint);
  }

  close(): void {
    for (const endpoint of this.#all) this.#forget(endpoint);
  }

  // EndpointWatch

  failed(endpoint: EndpointState, kind: FailureKind): void {
    this.#deps.metrics.failure(endpoint.label, kind);
    this.#outliers?.failed(endpoint);
  }

  rests(endpoint: EndpointState): void {
    this.#note(endpoint, "resting", "an endpoint takes no connection and is passed over");
  }

  #newEndpoint(
    endpoint: ServiceEndpoint,
    records: ReadonlyMap<string, EndpointRecord>,
  ): EndpointState {
    const { connections, keepAlive, breaker } = this.#options;
    const poolOptions = { maxConnections: connections, idleTimeoutMs: keepAlive };
    const pool = new UpstreamPool(endpoint, poolOptions, this.#deps);
    const options = {
      label: pool.name,
      weight: endpoint.weight,
      capacity: Math.min(connections, breaker?.requests ?? connections),
      record: records.get(pool.name),
    };
    return new EndpointState(pool, options, this);
  }

  #watch(endpoint: EndpointState): void {
    this.#checks?.watch(endpoint);
    this.#outliers?.adopt(endpoint);
  }

  #forget(endpoint: EndpointState): void {
    this.#checks?.forget(endpoint);
    this.#outliers?.forget(endpoint);
    endpoint.pool.close();
  }

  #newOutliers(options: NonNullable<ServiceOptions["outliers"]>): Outliers<EndpointState> {
    const { clock, timers } = this.#deps;
    return new Outliers(options, {
      clock,
      timers,
      endpoints: () => this.#all,
      changed: (endpoint, state, forMs) => {
        if (state === "ejected") {
          const fields = { seconds: forMs / 1000, failures: endpoint.record.failures };
          this.#note(endpoint, state, "an endpoint failed too often and is put out", fields);
        } else this.#note(endpoint, state, "an endpoint that was put out is back");
        this.#refresh();
      },
    });
  }

  #newChecks(options: NonNullable<ServiceOptions["health"]>): HealthChecks<EndpointState> {
    const { deadlines, timers, log, random, metrics } = this.#deps;
    return new HealthChecks(options, {
      deadlines,
      timers,
      log,
      random,
      checked: ({ label }, passed) => metrics.health(label, passed ? "passed" : "failed"),
      changed: (endpoint, state, fault) => {
        if (state === "healthy") this.#note(endpoint, state, "an endpoint is healthy again");
        else this.#note(endpoint, state, "an endpoint is unhealthy", { fault });
        this.#refresh();
      },
    });
  }

  #note(endpoint: EndpointState, state: string, event: string, fields: LogFields = {}): void {
    const { metrics, log, name: service } = this.#deps;
    metrics.state(endpoint.label, state);
    const level = state === "healthy" || state === "returned" ? "info" : "warn";
    log[level](event, { service, endpoint: endpoint.name, ...fields });
  }

  #refresh(): void {
    const fit = this.#all.filter((endpoint) => endpoint.fit);
    const panic = fit.length * 100 < this.#options.panic * this.#all.length;
    this.#ready = panic ? this.#all : fit;
    if (panic !== this.#panic) this.#panicChanged(panic, fit.length);
    this.#deps.changed();
  }

  #panicChanged(panic: boolean, fit: number): void {
    this.#panic = panic;
    const { metrics, log, name: service } = this.#deps;
    metrics.panic(panic);
    const fields = { service, fit, endpoints: this.#all.length };
    if (panic) log.warn("too few endpoints are in order; all are used", fields);
    else log.info("enough endpoints are in order again", fields);
  }
}

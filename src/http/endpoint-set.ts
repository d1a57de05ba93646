/**
 * The endpoints of one service: who is there, who is in order, and what happens when that changes.
 * Where too few are in order all are used (panic): to spread requests over endpoints that may be well
 * is better than to finish off the few that certainly are.
 */
import type { Clock, Log, LogFields, NameResolver, Timers } from "../model/ports.ts";
import type { ServiceMetrics } from "../telemetry/upstream-metrics.ts";
import type { FailureKind } from "./attempt-failure.ts";
import type { Deadlines } from "./deadlines.ts";
import { endpointName, type PoolDeps } from "./endpoint.ts";
import { EndpointState, type EndpointWatch } from "./endpoint-state.ts";
import type { EndpointRecord } from "./health/endpoint-record.ts";
import { HealthChecks } from "./health/health-checks.ts";
import { Outliers } from "./health/outliers.ts";
import { Http2ClientPool } from "./http2/client-pool.ts";
import { NameWatch } from "./name-watch.ts";
import type { ServiceEndpoint, ServiceOptions } from "./service-options.ts";
import { UpstreamPool } from "./upstream-pool.ts";

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
  readonly resolver: NameResolver;
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
  /** What was known before a reload, by the endpoints' names. */
  readonly #records: ReadonlyMap<string, EndpointRecord>;
  readonly #names: readonly NameWatch[];
  /** Addresses of the names that are resolved, by the name and port as they are written. */
  readonly #found = new Map<ServiceEndpoint, readonly string[]>();
  #all: readonly EndpointState[] = [];
  #ready: readonly EndpointState[] = [];
  #panic = false;
  #started: Promise<unknown> | undefined;

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
    this.#records = records;
    this.#names = options.endpoints
      .filter(({ discover, weight }) => discover !== undefined && weight > 0)
      .map((endpoint) => this.#newName(endpoint));
    this.#arrange();
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

  /** From now on names are resolved and endpoints are checked. Resolves with the first addresses. */
  async start(): Promise<void> {
    if (this.#started === undefined) {
      for (const endpoint of this.#all) this.#watch(endpoint);
      this.#started = Promise.all(this.#names.map((name) => name.start()));
    }
    await this.#started;
  }

  close(): void {
    for (const name of this.#names) name.close();
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

  #newName(endpoint: ServiceEndpoint): NameWatch {
    const { resolver, timers, metrics, log, name: service } = this.#deps;
    const label = labelOf(endpoint);
    return new NameWatch(endpoint.discover ?? "", {
      resolver,
      timers,
      resolved: () => metrics.resolution(label, "resolved"),
      changed: (addresses) => {
        metrics.resolution(label, "changed");
        log.info("a name has other addresses", {
          service,
          endpoint: label,
          addresses: addresses.length,
        });
        this.#found.set(endpoint, addresses);
        this.#arrange();
      },
      failed: (error, again) => {
        metrics.resolution(label, "failed");
        const kept = this.#found.get(endpoint)?.length ?? 0;
        if (!again)
          log.warn("a name cannot be resolved; what it stood for is kept", {
            service,
            endpoint: label,
            kept,
            error,
          });
      },
    });
  }

  /** Puts together who is there now: those that stay keep their state, those that go end in their own time. */
  #arrange(): void {
    const wanted = new Map<string, { readonly written: ServiceEndpoint; readonly host: string }>();
    for (const written of this.#options.endpoints) {
      if (written.weight === 0) continue;
      const hosts =
        written.discover === undefined ? [written.host] : (this.#found.get(written) ?? []);
      for (const host of hosts) {
        const name = endpointName({ host, port: written.port });
        // Two names may lead to one address: it is one endpoint, of the first.
        if (!wanted.has(name)) wanted.set(name, { written, host });
      }
    }
    const known = new Map(this.#all.map((endpoint) => [endpoint.name, endpoint]));
    this.#all = [...wanted].map(([name, { written, host }]) => {
      const before = known.get(name);
      if (before?.weight === written.weight) return before;
      const made = this.#newEndpoint(written, host, before?.record ?? this.#records.get(name));
      if (this.#started !== undefined) this.#watch(made);
      return made;
    });
    const here = new Set(this.#all);
    for (const endpoint of known.values()) if (!here.has(endpoint)) this.#forget(endpoint);
    this.#refresh();
  }

  #newEndpoint(
    written: ServiceEndpoint,
    host: string,
    record: EndpointRecord | undefined,
  ): EndpointState {
    const { connections, connectTimeout, keepAlive, breaker } = this.#options;
    const poolOptions = {
      maxConnections: connections,
      idleTimeoutMs: keepAlive,
      connectTimeoutMs: connectTimeout,
    };
    const Pool = written.http2 === true ? Http2ClientPool : UpstreamPool;
    const pool = new Pool({ ...written, host }, poolOptions, this.#deps);
    const options = {
      label: labelOf(written),
      weight: written.weight,
      capacity: breaker?.requests ?? Number.POSITIVE_INFINITY,
      record,
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
    const { deadlines, timers, random, metrics } = this.#deps;
    return new HealthChecks(options, {
      deadlines,
      timers,
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
    // Of nobody at all there is nobody to use.
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

/** As the configuration writes it: what metrics call it, so that addresses that come and go leave no series. */
function labelOf({ host, port, discover, http2 }: ServiceEndpoint): string {
  if (discover === undefined) return endpointName({ host, port });
  return `${http2 === true ? "dns+h2c" : "dns"}://${discover}:${port}`;
}

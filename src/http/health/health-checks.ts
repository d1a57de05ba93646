/**
 * Asks each endpoint of a service again and again whether it is well. Checks are spread: each waits a
 * random part of a second before its first, and each interval is a little longer or shorter, so that
 * many proxies and endpoints do not fall into step.
 */
import type { Timers } from "../../model/ports.ts";
import type { Deadlines } from "../deadlines.ts";
import type { ServiceConnection } from "../service-connection.ts";
import type { EndpointRecord } from "./endpoint-record.ts";
import type { HealthOptions } from "./health-options.ts";
import { GrpcProbe } from "./grpc-probe.ts";
import { HttpProbe } from "./http-probe.ts";
import type { Probe, ProbeDeps } from "./probe.ts";

const LIMITS = {
  /** The first check of an endpoint comes within this, or within the interval where that is less. */
  firstMs: 1000,
  /** An interval is longer or shorter by up to this share. */
  jitter: 0.1,
} as const;

/** An endpoint as it is seen from here. */
export interface Patient {
  /** `host:port`. */
  readonly name: string;
  readonly record: EndpointRecord;
  connectAside(): ServiceConnection;
}

export interface HealthDeps<T extends Patient> {
  readonly deadlines: Deadlines;
  readonly timers: Timers;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly checked: (endpoint: T, passed: boolean) => void;
  /** `fault` is what the last check found. */
  readonly changed: (
    endpoint: T,
    state: "healthy" | "unhealthy",
    fault: string | undefined,
  ) => void;
}

export class HealthChecks<T extends Patient> {
  readonly #options: HealthOptions;
  readonly #deps: HealthDeps<T>;
  /** Calls off what is under way or waits, by endpoint. */
  readonly #stops = new Map<T, () => void>();

  constructor(options: HealthOptions, deps: HealthDeps<T>) {
    this.#options = options;
    this.#deps = deps;
  }

  watch(endpoint: T): void {
    const first = Math.min(LIMITS.firstMs, this.#options.interval);
    this.#checkIn(endpoint, first * this.#deps.random());
  }

  forget(endpoint: T): void {
    this.#stops.get(endpoint)?.();
    this.#stops.delete(endpoint);
  }

  #checkIn(endpoint: T, ms: number): void {
    this.#stops.set(
      endpoint,
      this.#deps.timers.after(ms, () => this.#check(endpoint)),
    );
  }

  #check(endpoint: T): void {
    const { deadlines, random } = this.#deps;
    const probe = this.#newProbe(endpoint, {
      deadlines,
      timeoutMs: this.#options.timeout,
      connect: () => endpoint.connectAside(),
      done: (fault) => {
        this.#note(endpoint, fault);
        const { jitter } = LIMITS;
        this.#checkIn(endpoint, this.#options.interval * (1 - jitter + 2 * jitter * random()));
      },
    });
    this.#stops.set(endpoint, () => probe.cancel());
  }

  #newProbe(endpoint: T, deps: ProbeDeps): Probe {
    const { path = "/", grpc, host = endpoint.name, expect } = this.#options;
    if (grpc !== undefined) return new GrpcProbe({ service: grpc, host }, deps);
    const passes = (status: number): boolean =>
      expect === undefined ? status < 300 : expect.includes(status);
    return new HttpProbe({ path, host, passes }, deps);
  }

  #note(endpoint: T, fault: string | undefined): void {
    const { record } = endpoint;
    const passed = fault === undefined;
    this.#deps.checked(endpoint, passed);
    const state = passed ? "healthy" : "unhealthy";
    if (record.health === state) {
      record.against = 0;
      return;
    }
    record.against += 1;
    const enough = passed ? this.#options.healthy : this.#options.unhealthy;
    // Where nothing is known, one answer is more than that.
    if (record.health !== "unknown" && record.against < enough) return;
    const known = record.health !== "unknown" || !passed;
    record.health = state;
    record.against = 0;
    if (known) this.#deps.changed(endpoint, state, fault);
  }
}

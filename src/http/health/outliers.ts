/**
 * Puts endpoints out that fail one request after the other, for a time that grows each time. Never so
 * many that the others would have to carry what they cannot.
 */
import type { Clock, Timers } from "../../model/ports.ts";
import type { EndpointRecord } from "./endpoint-record.ts";
import type { OutlierOptions } from "./health-options.ts";

/** An endpoint as it is seen from here. */
export interface Suspect {
  readonly record: EndpointRecord;
}

export interface OutlierDeps<T extends Suspect> {
  readonly clock: Clock;
  readonly timers: Timers;
  /** All endpoints of the service. */
  readonly endpoints: () => readonly T[];
  /** One was put out for so long, or is back. */
  readonly changed: (endpoint: T, state: "ejected" | "returned", forMs: number) => void;
}

export class Outliers<T extends Suspect> {
  readonly #options: OutlierOptions;
  readonly #deps: OutlierDeps<T>;
  readonly #statuses: ReadonlySet<number>;
  /** Calls off the return of those that are out. */
  readonly #returns = new Map<T, () => void>();

  constructor(options: OutlierOptions, deps: OutlierDeps<T>) {
    this.#options = options;
    this.#deps = deps;
    this.#statuses = new Set(options.statuses);
  }

  answered(endpoint: T, status: number): void {
    if (this.#statuses.has(status)) this.failed(endpoint);
    else endpoint.record.failures = 0;
  }

  failed(endpoint: T): void {
    const { record } = endpoint;
    record.failures += 1;
    if (record.failures < this.#options.consecutive || record.ejected || !this.#mayEject) return;
    this.#eject(endpoint);
  }

  /** An endpoint that was out before a reload stays out for the rest of its time. */
  adopt(endpoint: T): void {
    const left = endpoint.record.ejectedUntil - this.#deps.clock.monotonic();
    if (endpoint.record.ejected) this.#returnIn(endpoint, Math.max(0, left));
  }

  /** The endpoint is no more. */
  forget(endpoint: T): void {
    this.#returns.get(endpoint)?.();
    this.#returns.delete(endpoint);
  }

  get #mayEject(): boolean {
    const all = this.#deps.endpoints();
    const out = all.filter(({ record }) => record.ejected).length;
    return (out + 1) * 100 <= this.#options.maxEjected * all.length;
  }

  #eject(endpoint: T): void {
    const { ejection, maxEjection } = this.#options;
    const { record } = endpoint;
    const now = this.#deps.clock.monotonic();
    const quiet = record.ejections === 0 ? 0 : Math.floor((now - record.ejectedUntil) / ejection);
    record.ejections = Math.max(0, record.ejections - quiet) + 1;
    const forMs = Math.min(ejection * record.ejections, maxEjection);
    record.ejected = true;
    record.ejectedUntil = now + forMs;
    this.#returnIn(endpoint, forMs);
    this.#deps.changed(endpoint, "ejected", forMs);
  }

  #returnIn(endpoint: T, ms: number): void {
    const stop = this.#deps.timers.after(ms, () => {
      this.#returns.delete(endpoint);
      endpoint.record.ejected = false;
      endpoint.record.failures = 0;
      this.#deps.changed(endpoint, "returned", ms);
    });
    this.#returns.set(endpoint, stop);
  }
}

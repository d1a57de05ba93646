/** The ports through which siblings reach what lies outside them. Tests turn each of them by hand. */
import type { JsonValue } from "./json.ts";

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never goes back. */
  monotonic(): number;
}

/** Runs things later. What waits never keeps the process alive. */
export interface Timers {
  /** Runs `run` once after `ms` milliseconds. Returns the function that calls it off. */
  after(ms: number, run: () => void): () => void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined | Error>>;

/** Structured log. `event` is a constant sentence; what varies goes into `fields`. No secrets. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** The log of a process: what a configuration says of it, and what is counted of it. */
export interface AdjustableLog extends Log {
  /** Counts from now on what is not written: of an event that repeats too fast, and because of a slow reader. */
  counting(leftOut: { readonly rate: Counter; readonly reader: Counter }): void;
  /** Puts in force what a configuration says. */
  adjust(settings: {
    /** Least level that is written; the log's own default when undefined. */
    readonly level?: keyof Log | undefined;
    readonly format: "json" | "text";
  }): void;
}

export interface Counter {
  /** `decision`: id of the last decision that was counted, for who looks into one (an exemplar). */
  inc(by?: number, decision?: string): void;
}
export interface Gauge {
  set(value: number): void;
  add(by: number): void;
}
export interface Histogram {
  /** In the unit that the metric's name ends in; seconds for durations. `decision` as with counters. */
  observe(value: number, decision?: string): void;
}
/** One metric with label values still to be bound; bind once and keep the handle on hot paths. */
export interface Family<T> {
  with(...labelValues: string[]): T;
}

/** One series of a gauge that is read when it is scraped. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number;
}

/** Where modules register what they measure. Names follow OpenMetrics; no label value may come from a caller. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Family<Counter>;
  gauge(name: string, help: string, labels?: readonly string[]): Family<Gauge>;
  histogram(
    name: string,
    help: string,
    options: { readonly buckets: readonly number[]; readonly labels?: readonly string[] },
  ): Family<Histogram>;
  /** A gauge that is read when it is scraped. */
  sampled(name: string, help: string, read: () => number): void;
  /** The same with labels: series come and go with what is read, so it must be bounded. */
  sampledEach(
    name: string,
    help: string,
    options: { readonly labels: readonly string[]; readonly read: () => Iterable<Sample> },
  ): void;
}

/** Finds the addresses of names. Rejects where none can be found out. */
export interface NameResolver {
  /** A name with a dot at its end is asked of DNS and has a TTL; others as the system does. */
  resolve(name: string): Promise<{
    readonly addresses: readonly string[];
    readonly ttlSeconds: number | undefined;
  }>;
}

/** Whom to take for the server of an `https:` URL. */
export interface ServerTrust {
  /** PEM of the authorities that its certificate has to lead to, and no others. */
  readonly ca: string;
  /**
   * In place of the host of the URL: what is wrong with the server's own certificate (DER), which has
   * led to an authority; undefined where nothing is.
   */
  readonly check?: ((certificate: Uint8Array) => string | undefined) | undefined;
}

/** Fetches a JSON document that configuration names. Bounded in time and size; follows no redirect. */
export interface DocumentFetcher {
  fetchJson(
    url: string,
    options: {
      readonly timeoutMs: number;
      readonly maxBytes: number;
      /** Undefined: a certificate of the public web for the host of the URL. */
      readonly server?: ServerTrust | undefined;
    },
  ): Promise<{ readonly body: unknown; readonly maxAgeSeconds: number | undefined }>;
}

/** What is posted: a form, or JSON. */
export type JsonMessage = (
  | { readonly form: Readonly<Record<string, string>> }
  | { readonly json: object }
) & {
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that carry the answer; 200 when left out. */
  readonly accepted?: readonly number[];
};

/** Asks an endpoint that configuration names. Bounded in time and size; follows no redirect. */
export interface JsonClient {
  /** Rejects with SallyportError `fetch-failed` for all but strict JSON with an accepted status. */
  post(
    url: string,
    message: JsonMessage,
    limits: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<JsonValue>;
}

/** What became of one request at one rate limit. Times are milliseconds from now. */
export interface RateVerdict {
  readonly allowed: boolean;
  /** Further requests that it would let through now. */
  readonly remaining: number;
  /** After so long it lets this one through; 0 where it was allowed. */
  readonly retryMs: number;
  /** After so long without requests all of it is there again. */
  readonly resetMs: number;
}

/**
 * One rate limit, counted apart for each key. A local one answers at once; one that has to ask
 * another process (leases) may promise. What is refused takes nothing.
 */
export interface RateLimiter {
  take(key: string, cost: number, nowMs: number): RateVerdict | Promise<RateVerdict>;
  /** Undoes a `take` that was allowed: another limit refused the request. */
  giveBack(key: string, cost: number, nowMs: number): void;
}

/** What outlives a reload: clocks, log, metrics, caches, the audit log. One per process. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type AskedPool, createAskedPool } from "../identity/asked/asked-pool.ts";
import type { FactsCache } from "../identity/facts-cache.ts";
import { createFactsCache } from "../identity/facts-cache.ts";
import { createKeySetPool, type KeySetPool } from "../identity/key-set/key-set-pool.ts";
import {
  createWorkloadApiPool,
  type WorkloadApiPool,
} from "../identity/spiffe/workload-api-pool.ts";
import { type ApiKeyDirectory, createApiKeyDirectory } from "../keys/api-key-directory.ts";
import { createKeyDirectory, type KeyDirectory } from "../keys/key-directory.ts";
import {
  createTrustBundlePool,
  type TrustBundlePool,
} from "../identity/spiffe/trust-bundle-pool.ts";
import { createTrustDirectory, type TrustDirectory } from "../identity/spiffe/trust-directory.ts";
import { createLimitPool, type CreateRateLimiter, type LimitPool } from "../limits/limit-pool.ts";
import { createLocalMemory, type LocalMemory } from "../memory/local-memory.ts";
import { SwitchedMemory } from "../memory/switched-memory.ts";
import { Deadlines } from "../http/deadlines.ts";
import { createRunningServices, type RunningServices } from "../http/running-services.ts";
import type { CommonRates } from "../model/common-rates.ts";
import type { AdjustableLog, Clock, Timers, NameResolver } from "../model/ports.ts";
import type { RevocationTarget } from "../model/revocation.ts";
import type { SharedMemory } from "../model/shared-memory.ts";
import { systemClock } from "../platform/clock.ts";
import { createNameResolver } from "../platform/name-resolver.ts";
import { systemTimers } from "../platform/timers.ts";
import type { TakeAway } from "./keeping/sign-answers.ts";
import { Quotas } from "./quotas.ts";
import { createTraceparents } from "../platform/trace-ids.ts";
import { readFileBytes } from "../platform/files.ts";
import { productVersion } from "../platform/version.ts";
import { IdentityCache } from "../proxy/identity-cache.ts";
import { createMetrics, type RunningMetrics } from "../telemetry/metrics.ts";
import { createRequestMetrics, type RequestMetrics } from "../telemetry/request-metrics.ts";
import { createTracing, type RunningTracing } from "../telemetry/traces/tracing.ts";
import { createUpstreamMetrics, type UpstreamMetrics } from "../telemetry/upstream-metrics.ts";

export interface Instruments {
  readonly clock: Clock;
  readonly timers: Timers;
  /** As the configuration in force says. */
  readonly log: AdjustableLog;
  readonly metrics: RunningMetrics;
  readonly requests: RequestMetrics;
  readonly upstreams: UpstreamMetrics;
  readonly services: RunningServices;
  readonly resolver: NameResolver;
  readonly deadlines: Deadlines;
  readonly facts: FactsCache;
  readonly keySets: KeySetPool;
  /** What services are told of callers, made of the facts. */
  readonly identities: IdentityCache;
  readonly workloadApis: WorkloadApiPool;
  readonly asked: AskedPool;
  /** What the authority says of API keys; empty where there is none. */
  readonly apiKeys: ApiKeyDirectory;
  /** What the authority publishes of its signing keys; empty where there is none. */
  readonly publishedKeys: KeyDirectory;
  readonly trustBundles: TrustBundlePool;
  /** By which listeners verify callers. */
  readonly trust: TrustDirectory;
  readonly limits: LimitPool;
  /** Of plans; empty where usage is not counted. */
  readonly quotas: Quotas;
  /** What this process remembers by itself; a supervisor also for its workers. */
  readonly memory: LocalMemory;
  /** What it holds in common with others: its own memory where it is alone, its supervisor's, or Redis. */
  readonly shared: SwitchedMemory;
  /** What all machines count rates in; set where the configuration names it. */
  readonly common: { rates: CommonRates | undefined };
  /** What browser sessions are sealed under where no key is configured. */
  readonly sessionKey: Uint8Array;
  /** Takes away, everywhere, what ends by itself (a logout); set where the authority is in this process. */
  readonly ending: {
    revoke: ((target: RevocationTarget, expiresMs: number) => Promise<void>) | undefined;
    /** In answer to a sign of a breach. */
    takeAway: TakeAway | undefined;
  };
  readonly newTraceparent: () => string;
  /** Records nothing until a configuration says so. */
  readonly tracing: RunningTracing;
}

export interface InstrumentsOptions {
  readonly clock?: Clock;
  /** Where several processes count rates as one. */
  readonly createRateLimiter?: CreateRateLimiter;
  /** Where they remember as one. */
  readonly shared?: SharedMemory;
}

export function createInstruments(
  log: AdjustableLog,
  { clock = systemClock, shared, ...limits }: InstrumentsOptions = {},
): Instruments {
  const metrics = createMetrics();
  const leftOut = metrics.counter(
    "sallyport_log_left_out_lines",
    "Lines of the operators' log that were not written, by cause: `rate` (an event that repeats), `reader` (who reads standard error does not keep up).",
    ["cause"],
  );
  log.counting({ rate: leftOut.with("rate"), reader: leftOut.with("reader") });
  const memory = createLocalMemory({ clock, timers: systemTimers });
  const common: Instruments["common"] = { rates: undefined };
  return {
    clock,
    timers: systemTimers,
    log,
    metrics,
    requests: createRequestMetrics(metrics),
    upstreams: createUpstreamMetrics(metrics),
    services: createRunningServices(),
    resolver: createNameResolver(),
    deadlines: new Deadlines(clock),
    facts: createFactsCache({}, { clock, metrics }),
    keySets: createKeySetPool(),
    identities: new IdentityCache(),
    trustBundles: createTrustBundlePool(),
    trust: createTrustDirectory(),
    memory,
    shared: new SwitchedMemory(shared ?? memory),
    common,
    sessionKey: randomBytes(32),
    ending: { revoke: undefined, takeAway: undefined },
    workloadApis: createWorkloadApiPool({ clock, timers: systemTimers, log, metrics }),
    asked: createAskedPool(),
    apiKeys: createApiKeyDirectory({ metrics }),
    publishedKeys: createKeyDirectory(),
    limits: createLimitPool({ metrics, commonRates: () => common.rates, ...limits }),
    quotas: new Quotas({ clock, log, metrics, timers: systemTimers }),
    newTraceparent: createTraceparents(),
    tracing: createTracing({
      clock,
      timers: systemTimers,
      log,
      metrics,
      random: Math.random,
      readFile: readFileBytes,
      version: productVersion(),
      instance: `${hostname()}-${process.pid}`,
    }),
  };
}

/**
 * Keeps the policy bundle at hand that a configuration names by URL: has one fetched before a configuration is
 * prepared that has none, and asks for a newer one from time to time. A source that is away, or answers what is
 * not to be trusted, changes nothing: what is in force stays, and log and metrics say so.
 */
import type { FetchedPolicies } from "../config/peek-bundle.ts";
import { SallyportError } from "../model/errors.ts";
import type { Log, Timers } from "../model/ports.ts";
import { cachedBundle, newestOf } from "../policy/bundle/bundle-cache.ts";
import type { BundleTarget } from "../policy/bundle/bundle-fetcher.ts";
import type { RunningMetrics } from "../telemetry/metrics.ts";

const LIMITS = {
  /** Milliseconds between tries at most, however often it failed. */
  longestMs: 5 * 60_000,
  /** Tries of a start or a reload that has no bundle, a second and more apart: a source that is just starting. */
  firstTries: 3,
  firstMs: 1000,
} as const;

export interface PolicyFetching {
  /** Before each configuration is prepared. Rejects where no bundle is at hand and none can be had. */
  ready(): Promise<void>;
  /** From now on asks by itself; `changed` is called when another bundle is at hand, and must not reject. */
  follow(changed: () => Promise<void>): void;
  stop(): void;
}

export interface PolicyFetchingDeps {
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: RunningMetrics;
  /** Between 0 and 1: no two replicas ask at the same moment. */
  readonly random: () => number;
  /** What the configuration says now. */
  readonly wanted: () => FetchedPolicies | undefined;
  /** Keeps the process alive, which is not there yet. */
  readonly wait: (ms: number) => Promise<void>;
  readonly fetch: (target: BundleTarget) => Promise<"changed" | "same">;
}

export function createPolicyFetching(deps: PolicyFetchingDeps): PolicyFetching {
  const { timers, log, metrics, random, wanted, fetch, wait } = deps;
  const fetches = metrics.counter(
    "sallyport_policy_bundle_fetches_total",
    "Times that the policy bundle was asked for, by what came of it.",
    ["outcome"],
  );
  let failures = 0;
  /** What the last configuration was prepared with: somebody else may have fetched another since. */
  let taken: string | undefined;
  let stopped = false;
  let callOff = (): void => undefined;
  let changed: (() => Promise<void>) | undefined;

  async function once(target: BundleTarget): Promise<"changed" | "same"> {
    try {
      const outcome = await fetch(target);
      failures = 0;
      fetches.with(outcome).inc();
      return outcome;
    } catch (error) {
      failures += 1;
      fetches.with("failed").inc();
      log.warn("the policy bundle could not be had; what is in force stays", {
        error: error instanceof Error ? error : new Error(String(error)),
      });
      throw error;
    }
  }

  async function untilThere(target: BundleTarget): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await once(target);
        return;
      } catch (error) {
        if (tries >= LIMITS.firstTries || stopped) throw error;
        await wait(LIMITS.firstMs * tries);
      }
    }
  }

  async function look(): Promise<void> {
    try {
      const now = wanted();
      // One that is named by its hash does not change.
      if (now === undefined || now.target.hash !== undefined) return;
      await once(now.target);
      const there = newestOf(now.target.cache)?.hash;
      if (there === taken || stopped) return;
      taken = there;
      await changed?.();
    } catch (error) {
      // What was wrong with the fetch is logged; what is wrong with the file is said by whoever loads it. A disk
      // that is full must not end a process that serves.
      if (error instanceof SallyportError) return;
      log.error("looking for another policy bundle failed", { error: error as Error });
    } finally {
      plan();
    }
  }

  /** Half of the time at least, so that many replicas do not ask in step; later and later after failures. */
  function plan(): void {
    callOff();
    if (stopped || changed === undefined) return;
    const every = Math.min(everyMs() * 2 ** Math.min(failures, 10), LIMITS.longestMs);
    callOff = timers.after(Math.max(every, everyMs()) * (0.5 + random() / 2), () => void look());
  }

  function everyMs(): number {
    try {
      return wanted()?.refreshMs ?? LIMITS.longestMs;
    } catch {
      return LIMITS.longestMs;
    }
  }

  return {
    async ready() {
      const now = wanted();
      if (now === undefined) return;
      if (!isAtHand(now.target)) await untilThere(now.target);
      taken = newestOf(now.target.cache)?.hash;
    },
    follow(then) {
      changed = then;
      plan();
    },
    stop() {
      stopped = true;
      callOff();
    },
  };
}

function isAtHand({ url, cache, hash }: BundleTarget): boolean {
  const newest = newestOf(cache);
  const wanted = hash ?? (newest?.url === url ? newest?.hash : undefined);
  return wanted !== undefined && cachedBundle(cache, wanted) !== undefined;
}

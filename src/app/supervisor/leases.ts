/**
 * Rate limits that several processes count as one. The supervisor counts; a worker asks it for a
 * request's place and is given some more while there are plenty, so that most requests of a busy
 * caller are answered at once. What a worker does not use in a moment it gives back, so that one
 * worker's hoard is not another's refusal.
 *
 * Without a supervisor each worker lets its share through, a part of the rate: fewer in all where
 * callers are spread unevenly, never more.
 */
import { createGcra, type LocalRateLimiter } from "../../limits/gcra.ts";
import type { RatePolicy } from "../../model/rate.ts";
import type { CreateRateLimiter } from "../../limits/limit-pool.ts";
import type { RateLimiter, RateVerdict } from "../../model/ports.ts";

const LIMITS = {
  /** Requests that one lease can cover. */
  lease: 64,
  /** One part in so many of what is left goes into one lease, for each worker. */
  parts: 8,
  /** Milliseconds that a lease is kept without being used. */
  keptMs: 50,
  /** Rates that are counted; those of configurations long gone are forgotten beyond it. */
  rates: 100_000,
} as const;

/** The supervisor's side. */
export class LeaseOffice {
  readonly #now: () => number;
  readonly #rates = new Map<string, LocalRateLimiter>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes `cost`, and some more where there is plenty for `workers`. */
  lease(
    { id, policy, key, cost }: LeaseRequest,
    workers: number,
  ): { readonly granted: number; readonly verdict: RateVerdict } {
    const limiter = this.#limiter(id, policy);
    const now = this.#now();
    let verdict = limiter.take(key, cost, now);
    if (!verdict.allowed) return { granted: 0, verdict };
    let granted = cost;
    const more = Math.min(LIMITS.lease, Math.floor(verdict.remaining / (workers * LIMITS.parts)));
    if (more > 0) {
      const further = limiter.take(key, more, now);
      if (further.allowed) {
        granted += more;
        verdict = further;
      }
    }
    return { granted, verdict };
  }

  giveBack(id: string, key: string, cost: number): void {
    this.#rates.get(id)?.giveBack(key, cost, this.#now());
  }

  #limiter(id: string, policy: RatePolicy): LocalRateLimiter {
    const known = this.#rates.get(id);
    if (known !== undefined) return known;
    const oldest = this.#rates.size >= LIMITS.rates ? this.#rates.keys().next().value : undefined;
    if (oldest !== undefined) this.#rates.delete(oldest);
    const made = createGcra(policy);
    this.#rates.set(id, made);
    return made;
  }
}

export interface LeaseRequest {
  readonly id: string;
  readonly policy: RatePolicy;
  readonly key: string;
  readonly cost: number;
}

/** What a worker reaches its supervisor by; undefined answers mean that it is gone. */
export interface LeaseSource {
  readonly connected: boolean;
  /** How many workers there are. */
  readonly of: number;
  ask(request: LeaseRequest): Promise<{ granted: number; verdict: RateVerdict } | undefined>;
  giveBack(id: string, key: string, cost: number): void;
}

/** The worker's side: what the pool of limits makes its limiters with. */
export function leasedLimiters(source: LeaseSource): CreateRateLimiter {
  return (id, policy) => new LeasedLimiter({ id, policy }, source);
}

interface Lease {
  left: number;
  used: boolean;
  verdict: RateVerdict;
}

class LeasedLimiter implements RateLimiter {
  readonly #id: string;
  readonly #policy: RatePolicy;
  readonly #source: LeaseSource;
  /** Only those with something left. */
  readonly #leases = new Map<string, Lease>();
  #sweeping = false;
  #alone: { readonly of: number; readonly limiter: LocalRateLimiter } | undefined;

  constructor(
    { id, policy }: { readonly id: string; readonly policy: RatePolicy },
    source: LeaseSource,
  ) {
    this.#id = id;
    this.#policy = policy;
    this.#source = source;
  }

  take(key: string, cost: number, nowMs: number): RateVerdict | Promise<RateVerdict> {
    const lease = this.#leases.get(key);
    if (lease !== undefined && lease.left >= cost) return this.#use(key, lease, cost);
    if (!this.#source.connected) return this.#share().take(key, cost, nowMs);
    return this.#ask(key, cost, nowMs);
  }

  giveBack(key: string, cost: number, nowMs: number): void {
    if (this.#source.connected) this.#source.giveBack(this.#id, key, cost);
    else this.#share().giveBack(key, cost, nowMs);
  }

  #use(key: string, lease: Lease, cost: number): RateVerdict {
    lease.left -= cost;
    lease.used = true;
    if (lease.left <= 0) this.#leases.delete(key);
    return { ...lease.verdict, remaining: lease.verdict.remaining + lease.left };
  }

  async #ask(key: string, cost: number, nowMs: number): Promise<RateVerdict> {
    const { id, policy } = { id: this.#id, policy: this.#policy };
    const answer = await this.#source.ask({ id, policy, key, cost });
    if (answer === undefined) return this.#share().take(key, cost, nowMs);
    const { granted, verdict } = answer;
    const more = granted - cost;
    if (more <= 0) return verdict;
    const lease = this.#leases.get(key);
    if (lease === undefined) this.#leases.set(key, { left: more, used: true, verdict });
    else Object.assign(lease, { left: lease.left + more, used: true, verdict });
    this.#sweepLater();
    return { ...verdict, remaining: verdict.remaining + more };
  }

  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    setTimeout(() => this.#sweep(), LIMITS.keptMs).unref();
  }

  #sweep(): void {
    this.#sweeping = false;
    for (const [key, lease] of this.#leases) {
      if (lease.used) {
        lease.used = false;
      } else {
        this.#leases.delete(key);
        this.#source.giveBack(this.#id, key, lease.left);
      }
    }
    if (this.#leases.size > 0) this.#sweepLater();
  }

  /** The worker's part of the rate: the same requests in a longer time. */
  #share(): LocalRateLimiter {
    const { of } = this.#source;
    if (this.#alone?.of !== of) {
      const { requests, perMs, burst } = this.#policy;
      const part = { requests, perMs: perMs * of, burst: Math.max(1, Math.floor(burst / of)) };
      this.#alone = { of, limiter: createGcra(part) };
    }
    return this.#alone.limiter;
  }
}

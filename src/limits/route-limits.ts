/**
 * All limits of one route, asked together: a request is let through when every one of them has room.
 * One that is refused takes from none, so that who runs into one limit is not robbed by another.
 *
 * Concurrency comes first: its places can be given back without a trace.
 */
import type { RateLimiter, RateVerdict } from "../model/ports.ts";
import type { ConcurrencyLimiter } from "./concurrency.ts";
import {
  concurrencyItem,
  concurrencyPolicyItem,
  rateItem,
  ratePolicyItem,
  seconds,
} from "./limit-fields.ts";
import type { LimitedCaller } from "./limit-key.ts";

/** A rate limit as one route has it. */
export interface BoundRate {
  readonly name: string;
  readonly requests: number;
  readonly perMs: number;
  readonly limiter: RateLimiter;
  readonly key: (caller: LimitedCaller) => string;
  /** Told of each request that it refused. */
  readonly refused: () => void;
}

export interface BoundConcurrency {
  readonly name: string;
  readonly limiter: ConcurrencyLimiter;
  readonly key: (caller: LimitedCaller) => string;
  readonly refused: () => void;
}

/** What the limits of a route said about one request. */
export interface Admission {
  /** Undefined: it is let through. */
  readonly reason: "rate-limited" | "too-many-concurrent" | undefined;
  /** Name of the limit that refused. */
  readonly limit: string | undefined;
  /** For `retry-after`; 0 where it is let through. */
  readonly retryAfterSeconds: number;
  /** `ratelimit` and `ratelimit-policy`, for the answer. */
  readonly fields: readonly string[];
  /** Gives the places in flight back. To be called when the exchange is over; more than once is once. */
  readonly release: () => void;
}

export interface RouteLimits {
  /** Promises only where a limiter does. `nowMs` is monotonic. */
  admit(caller: LimitedCaller, nowMs: number): Admission | Promise<Admission>;
}

export function createRouteLimits(
  rates: readonly BoundRate[],
  concurrency: readonly BoundConcurrency[],
): RouteLimits {
  const policy = [
    ...rates.map(({ name, requests, perMs }) => ratePolicyItem(name, requests, perMs)),
    ...concurrency.map(({ name, limiter }) => concurrencyPolicyItem(name, limiter.requests)),
  ].join(", ");
  return {
    admit: (caller, nowMs) => new Admitting({ rates, concurrency, policy }, caller, nowMs).begin(),
  };
}

interface Limits {
  readonly rates: readonly BoundRate[];
  readonly concurrency: readonly BoundConcurrency[];
  readonly policy: string;
}

/** One request on its way through the limits. */
class Admitting {
  readonly #limits: Limits;
  readonly #caller: LimitedCaller;
  readonly #nowMs: number;
  /** Keys of the places that were taken; empty once they are given back. */
  #places: string[] = [];
  readonly #verdicts: RateVerdict[] = [];
  readonly #items: string[] = [];

  constructor(limits: Limits, caller: LimitedCaller, nowMs: number) {
    this.#limits = limits;
    this.#caller = caller;
    this.#nowMs = nowMs;
  }

  begin(): Admission | Promise<Admission> {
    for (const { name, limiter, key, refused } of this.#limits.concurrency) {
      const place = key(this.#caller);
      if (!limiter.take(place)) {
        refused();
        this.#release();
        this.#items.splice(0, Infinity, concurrencyItem(name, 0));
        // A request in flight ends when it ends; a second is the shortest that can be said.
        return this.#admission("too-many-concurrent", name, 1);
      }
      this.#places.push(place);
      this.#items.push(concurrencyItem(name, limiter.left(place)));
    }
    return this.#takeRates(0);
  }

  #takeRates(from: number): Admission | Promise<Admission> {
    const { rates } = this.#limits;
    for (let index = from; index < rates.length; index++) {
      const rate = rates[index] as BoundRate;
      const verdict = rate.limiter.take(rate.key(this.#caller), 1, this.#nowMs);
      if (verdict instanceof Promise) return this.#waitFor(verdict, index);
      const refusal = this.#judge(verdict, index);
      if (refusal !== undefined) return refusal;
    }
    return this.#admission(undefined, undefined, 0);
  }

  async #waitFor(waiting: Promise<RateVerdict>, index: number): Promise<Admission> {
    try {
      return this.#judge(await waiting, index) ?? (await this.#takeRates(index + 1));
    } catch (error) {
      this.#undo();
      throw error;
    }
  }

  /** Undefined where this rate lets it through. */
  #judge(verdict: RateVerdict, index: number): Admission | undefined {
    const { name, refused } = this.#limits.rates[index] as BoundRate;
    if (verdict.allowed) {
      this.#items.push(rateItem(name, verdict.remaining, verdict.resetMs));
      this.#verdicts.push(verdict);
      return undefined;
    }
    refused();
    this.#undo();
    this.#items.splice(0, Infinity, rateItem(name, verdict.remaining, verdict.resetMs));
    return this.#admission("rate-limited", name, Math.max(1, seconds(verdict.retryMs)));
  }

  /** Gives back what was taken until now. */
  #undo(): void {
    for (let index = 0; index < this.#verdicts.length; index++) {
      const { limiter, key } = this.#limits.rates[index] as BoundRate;
      limiter.giveBack(key(this.#caller), 1, this.#nowMs);
    }
    this.#verdicts.length = 0;
    this.#release();
  }

  #release(): void {
    const places = this.#places;
    this.#places = [];
    for (const [index, place] of places.entries()) {
      this.#limits.concurrency[index]?.limiter.release(place);
    }
  }

  #admission(
    reason: Admission["reason"],
    limit: string | undefined,
    retryAfterSeconds: number,
  ): Admission {
    const fields = ["ratelimit-policy", this.#limits.policy, "ratelimit", this.#items.join(", ")];
    return { reason, limit, retryAfterSeconds, fields, release: () => this.#release() };
  }
}

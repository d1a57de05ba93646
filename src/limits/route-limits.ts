/**
 * All limits of one route, asked together: a request is let through when every one of them has room.
 * One that is refused takes from none, so that who runs into one limit is not robbed by another.
 *
 * Concurrency comes first: its places can be given back without a trace. Rates that all machines count
 * as one come last, all of them in one question: what this machine refuses costs no round trip, and
 * nothing has to be given back there.
 */
import type { CommonRates, CommonVerdict } from "../model/common-rates.ts";
import { SallyportError } from "../model/errors.ts";
import type { RateLimiter, RateVerdict } from "../model/ports.ts";
import type { RateUnits } from "../model/rate.ts";
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
  /** Of one that all machines count: what counts while they have nothing in common. */
  readonly limiter: RateLimiter;
  readonly key: (caller: LimitedCaller) => string;
  /** Told of each request that it refused. */
  readonly refused: () => void;
  /** Undefined: this machine counts it. */
  readonly common?: Common | undefined;
}

/** What makes it one that all machines count. */
export interface Common {
  readonly id: string;
  readonly units: RateUnits;
  readonly whenAway: "local" | "refuse";
  /** Told of each request that could not be counted in common. */
  readonly away: () => void;
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
  readonly reason:
    | "rate-limited"
    | "too-many-concurrent"
    | "quota-exceeded"
    | "memory-unavailable"
    | undefined;
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
  /** Promises only where a limiter does, and where all machines count. `nowMs` is monotonic. */
  admit(caller: LimitedCaller, nowMs: number): Admission | Promise<Admission>;
}

export function createRouteLimits(
  rates: readonly BoundRate[],
  concurrency: readonly BoundConcurrency[],
  commonRates: () => CommonRates | undefined = () => undefined,
): RouteLimits {
  const own = rates.filter(({ common }) => common === undefined);
  const common = rates.filter(isCommon);
  const ordered = [...own, ...common];
  const policy = [
    ...ordered.map(({ name, requests, perMs }) => ratePolicyItem(name, requests, perMs)),
    ...concurrency.map(({ name, limiter }) => concurrencyPolicyItem(name, limiter.requests)),
  ].join(", ");
  const limits = { rates: ordered, common, concurrency, policy, commonRates };
  return { admit: (caller, nowMs) => new Admitting(limits, caller, nowMs).begin() };
}

type CommonRate = BoundRate & { readonly common: Common };

function isCommon(rate: BoundRate): rate is CommonRate {
  return rate.common !== undefined;
}

interface Limits {
  /** Those that all machines count are the last. */
  readonly rates: readonly BoundRate[];
  readonly common: readonly CommonRate[];
  readonly commonRates: () => CommonRates | undefined;
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
  /** Rates that this machine is asked for, from the first on. */
  #asked: number;

  constructor(limits: Limits, caller: LimitedCaller, nowMs: number) {
    this.#limits = limits;
    this.#asked = limits.rates.length - limits.common.length;
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
    for (let index = from; index < this.#asked; index++) {
      const rate = rates[index] as BoundRate;
      const verdict = rate.limiter.take(rate.key(this.#caller), 1, this.#nowMs);
      if (verdict instanceof Promise) return this.#waitFor(verdict, index);
      const refusal = this.#judge(verdict, index);
      if (refusal !== undefined) return refusal;
    }
    return this.#asked < rates.length ? this.#takeCommon() : this.#admitted();
  }

  async #takeCommon(): Promise<Admission> {
    const { common } = this.#limits;
    try {
      const verdict = await this.#askCommon();
      if (verdict === undefined) return await this.#withoutCommon();
      if (verdict.refused !== undefined) {
        return this.#refusal(common[verdict.refused] as CommonRate, verdict.verdict);
      }
      for (const [index, { remaining, resetMs }] of verdict.verdicts.entries()) {
        this.#items.push(rateItem((common[index] as CommonRate).name, remaining, resetMs));
      }
      return this.#admitted();
    } catch (error) {
      this.#undo();
      throw error;
    }
  }

  /** Undefined where it cannot be known. */
  async #askCommon(): Promise<CommonVerdict | undefined> {
    const { common, commonRates } = this.#limits;
    const asked = common.map(({ common: { id, units }, key }) => ({
      id,
      units,
      key: key(this.#caller),
    }));
    try {
      return await commonRates()?.take(asked);
    } catch (error) {
      if (error instanceof SallyportError && error.code === "memory-unavailable") return undefined;
      throw error;
    }
  }

  #withoutCommon(): Admission | Promise<Admission> {
    const { rates, common } = this.#limits;
    for (const { common: one } of common) one.away();
    const strict = common.find(({ common: { whenAway } }) => whenAway === "refuse");
    if (strict !== undefined) {
      this.#undo();
      this.#items.length = 0;
      return this.#admission("memory-unavailable", strict.name, 1);
    }
    const from = this.#asked;
    this.#asked = rates.length;
    return this.#takeRates(from);
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
    const rate = this.#limits.rates[index] as BoundRate;
    if (!verdict.allowed) return this.#refusal(rate, verdict);
    this.#items.push(rateItem(rate.name, verdict.remaining, verdict.resetMs));
    this.#verdicts.push(verdict);
    return undefined;
  }

  #refusal({ name, refused }: BoundRate, verdict: RateVerdict): Admission {
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

  #admitted(): Admission {
    return this.#admission(undefined, undefined, 0);
  }

  #admission(
    reason: Admission["reason"],
    limit: string | undefined,
    retryAfterSeconds: number,
  ): Admission {
    const fields = ["ratelimit-policy", this.#limits.policy];
    if (this.#items.length > 0) fields.push("ratelimit", this.#items.join(", "));
    return { reason, limit, retryAfterSeconds, fields, release: () => this.#release() };
  }
}

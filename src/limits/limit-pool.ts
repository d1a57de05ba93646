/**
 * The limiters of a process. What a caller has used up stays used up when the configuration is
 * reloaded: a limit whose definition is the same goes on counting where it was; one that changed
 * begins anew.
 */
import type { CommonRates } from "../model/common-rates.ts";
import type { Counter, Metrics, RateLimiter } from "../model/ports.ts";
import { type RatePolicy, rateUnits } from "../model/rate.ts";
import { type ConcurrencyLimiter, createConcurrency } from "./concurrency.ts";
import { createGcra, type LocalRateLimiter } from "./gcra.ts";
import { limitKey } from "./limit-key.ts";
import {
  concurrencyName,
  type LimitBy,
  rateName,
  type RouteConcurrency,
  type RouteRate,
  type SharedRate,
} from "./limit-options.ts";
import {
  type BoundConcurrency,
  type BoundRate,
  createRouteLimits,
  type RouteLimits,
} from "./route-limits.ts";

/** The limits of one route, and the shared rates that they may name. */
export interface LimitedRoute {
  readonly name: string;
  readonly limit?: readonly (RouteRate | string)[] | undefined;
  readonly concurrency?: readonly RouteConcurrency[] | undefined;
}

export interface LimitPool {
  /** The limits of a route as one value; undefined where it has none. Throws TypeError for a shared rate that is not there. */
  routeLimits(
    route: LimitedRoute,
    shared: Readonly<Record<string, SharedRate>>,
  ): RouteLimits | undefined;
}

/** Makes the limiter of a rate. `id` is the same in every process of one configuration. */
export type CreateRateLimiter = (
  id: string,
  policy: RatePolicy,
  local: () => LocalRateLimiter,
) => RateLimiter;

export interface LimitPoolDeps {
  readonly metrics: Metrics;
  /** Where several processes serve: leases from the one that counts. Default: counted here. */
  readonly createRateLimiter?: CreateRateLimiter;
  /** What all machines count in; asked for with each request, since it is opened later. Default: there is none. */
  readonly commonRates?: () => CommonRates | undefined;
}

export function createLimitPool(deps: LimitPoolDeps): LimitPool {
  return new Pool(deps);
}

class Pool implements LimitPool {
  readonly #rates = new Survivors<RateLimiter>();
  readonly #concurrency = new Survivors<ConcurrencyLimiter>();
  readonly #local = new Survivors<LocalRateLimiter>();
  readonly #create: CreateRateLimiter;
  readonly #refused: (limit: string) => Counter;
  readonly #overflow: Counter;
  readonly #commonRates: () => CommonRates | undefined;
  readonly #uncommon: (limit: string) => Counter;

  constructor({
    metrics,
    createRateLimiter = (_id, _policy, local) => local(),
    commonRates = () => undefined,
  }: LimitPoolDeps) {
    this.#create = createRateLimiter;
    this.#commonRates = commonRates;
    const uncommon = metrics.counter(
      "sallyport_limit_away",
      "Requests that a limit across machines could not count in common: counted by this machine alone, or refused.",
      ["limit"],
    );
    this.#uncommon = (limit) => uncommon.with(limit);
    const refused = metrics.counter("sallyport_limited", "Requests that a limit refused.", [
      "limit",
    ]);
    this.#refused = (limit) => refused.with(limit);
    this.#overflow = metrics
      .counter(
        "sallyport_limit_overflow",
        "Requests whose key was counted in the sketch, because the limit counted as many keys as it can.",
      )
      .with();
    metrics.sampled("sallyport_limit_keys", "Keys that rate limits count now.", () =>
      this.#local.all().reduce((sum, limiter) => sum + limiter.keys, 0),
    );
    metrics.sampled("sallyport_limit_in_flight", "Requests that hold a place of a limit.", () =>
      this.#concurrency.all().reduce((sum, limiter) => sum + limiter.inFlight, 0),
    );
  }

  routeLimits(
    route: LimitedRoute,
    shared: Readonly<Record<string, SharedRate>>,
  ): RouteLimits | undefined {
    const { limit = [], concurrency = [] } = route;
    if (limit.length === 0 && concurrency.length === 0) return undefined;
    return createRouteLimits(
      limit.map((rate) => this.#boundRate(route.name, rate, shared)),
      concurrency.map((one) => this.#boundConcurrency(route.name, one)),
      this.#commonRates,
    );
  }

  #boundRate(
    route: string,
    rate: RouteRate | string,
    shared: Readonly<Record<string, SharedRate>>,
  ): BoundRate {
    const name = rateName(rate);
    const options = typeof rate === "string" ? shared[rate] : rate;
    if (options === undefined) throw new TypeError(`a shared rate that is not there: ${name}`);
    const label = typeof rate === "string" ? name : `${route}/${name}`;
    const { requests, per, burst = requests, by, across, whenAway = "local" } = options;
    const policy = { requests, perMs: per, burst };
    const id = idOf("rate", label, { ...policy, by });
    const limiter = this.#rates.get(id, () =>
      this.#create(id, policy, () =>
        this.#local.get(id, () => createGcra(policy, { overflowed: () => this.#overflow.inc() })),
      ),
    );
    return {
      name,
      requests,
      perMs: per,
      limiter,
      key: limitKey(by),
      refused: this.#counter(label),
      common:
        across === "cluster"
          ? { id, units: rateUnits(policy), whenAway, away: counting(this.#uncommon(label)) }
          : undefined,
    };
  }

  #boundConcurrency(route: string, options: RouteConcurrency): BoundConcurrency {
    const name = concurrencyName(options);
    const { requests, by } = options;
    const label = `${route}/${name}`;
    const id = idOf("concurrency", label, { requests, by });
    const limiter = this.#concurrency.get(id, () => createConcurrency(requests));
    return { name, limiter, key: limitKey(by), refused: this.#counter(label) };
  }

  #counter(label: string): () => void {
    return counting(this.#refused(label));
  }
}

function counting(counter: Counter): () => void {
  return () => counter.inc();
}

/**
 * Values that live as long as some configuration in force holds them. Held weakly: a configuration
 * that did not come into force leaves nothing behind, and nobody has to close anything.
 */
class Survivors<T extends object> {
  readonly #values = new Map<string, WeakRef<T>>();
  #pruneAt = FIRST_PRUNE;

  get(id: string, create: () => T): T {
    const known = this.#values.get(id)?.deref();
    if (known !== undefined) return known;
    this.#prune();
    const value = create();
    this.#values.set(id, new WeakRef(value));
    return value;
  }

  #prune(): void {
    if (this.#values.size < this.#pruneAt) return;
    for (const [id, ref] of this.#values) {
      if (ref.deref() === undefined) this.#values.delete(id);
    }
    this.#pruneAt = Math.max(FIRST_PRUNE, this.#values.size * 2);
  }

  all(): T[] {
    return [...this.#values.values()].flatMap((ref) => ref.deref() ?? []);
  }
}

/** Entries before those whose value is gone are looked for; doubled with what is found alive. */
const FIRST_PRUNE = 64;

function idOf(
  kind: string,
  label: string,
  definition: Readonly<Record<string, number | LimitBy>>,
): string {
  return `${kind}:${label}:${JSON.stringify(definition)}`;
}

/** Which plan a principal is on, and what its requests count for in the records. */
import type { Log } from "../../model/ports.ts";
import type { Principal } from "../../model/principal.ts";
import type { RecordedUsage } from "../../model/records.ts";
import type { QuotaOptions, UsageOptions } from "./usage-options.ts";

const LIMITS = {
  /** Plans named by attributes and not declared that are told of: an issuer could make up as many as it likes. */
  told: 32,
  /** Costs of requests that are remembered for a plan: as many as routes say different ones. */
  costs: 256,
} as const;

export class Plan {
  /** Undefined: those who have none. */
  readonly name: string | undefined;
  readonly quota: QuotaOptions | undefined;
  readonly #usages = new Map<number, RecordedUsage>();

  constructor(name: string | undefined, quota: QuotaOptions | undefined) {
    this.name = name;
    this.quota = quota;
  }

  /** One value for all requests of this cost. */
  usage(cost: number): RecordedUsage | undefined {
    const known = this.#usages.get(cost);
    if (known !== undefined) return known;
    if (this.name === undefined && cost === 1) return undefined;
    const usage = Object.freeze({ cost, plan: this.name });
    if (this.#usages.size < LIMITS.costs) this.#usages.set(cost, usage);
    return usage;
  }
}

export class Plans {
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #none = new Plan(undefined, undefined);
  readonly #of: UsageOptions["plan"];
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor({ plans, plan }: UsageOptions, log: Log) {
    this.#plans = new Map(
      Object.entries(plans).map(([name, { quota }]) => [name, new Plan(name, quota)]),
    );
    this.#of = plan;
    this.#log = log;
  }

  /** Never fails: a plan that nobody declared is the default, and said. */
  of(principal: Principal): Plan {
    const { attribute, default: fallback, anonymous } = this.#of;
    if (principal.kind === "anonymous") return this.#named(anonymous);
    const value = attribute === undefined ? undefined : principal.attributes[attribute];
    if (typeof value !== "string" || value === "") return this.#named(fallback);
    const plan = this.#plans.get(value);
    if (plan !== undefined) return plan;
    this.#tell(value, principal.authenticator);
    return this.#named(fallback);
  }

  #named(name: string | undefined): Plan {
    return (name === undefined ? undefined : this.#plans.get(name)) ?? this.#none;
  }

  #tell(plan: string, authenticator: string): void {
    const name = `${authenticator}/${plan}`;
    if (this.#told.has(name) || this.#told.size >= LIMITS.told) return;
    this.#told.add(name);
    const fields = { plan: plan.slice(0, 64), authenticator };
    this.#log.warn(
      "usage: a principal names a plan that is not declared; the default counts",
      fields,
    );
  }
}

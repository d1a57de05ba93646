/**
 * Holds principals to the quotas of their plans, from memory: what the book said when the process
 * started, and what was let through since. It counts in fixed periods of the calendar.
 *
 * Several processes tell each other what they let through (`drain`, `merge`), so each knows of the others'
 * requests a moment later.
 */
import type { Counter, Log, Metrics } from "../../model/ports.ts";
import { type Principal, principalId } from "../../model/principal.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import { Recurring } from "../../model/recurring.ts";
import { type LoggedNames, LoggedUse } from "./logged-use.ts";
import { type Period, periodEnd, periodStart } from "./periods.ts";
import { type Plan, Plans } from "./plans.ts";
import { periodsOf } from "./quota-watch.ts";
import { type QuotaVerdict, quotaVerdict } from "./quota-verdict.ts";
import { Tally } from "./tally.ts";
import type { UsageOptions } from "./usage-options.ts";
import { COST_SCALE } from "./usage-lines.ts";

const LIMITS = {
  /** Principals that are held to a quota, some 300 bytes each. Others are counted by the book, and not held. */
  principals: 250_000,
  /** Requests in flight whose bytes count against a quota. */
  open: 100_000,
} as const;

/** A principal with its plan. */
export interface Account {
  readonly plan: Plan;
  /** What it has used; undefined where its plan has no quota. */
  readonly holder: Holder | undefined;
}

/** One principal, on whatever plan. */
class Holder {
  readonly id: string;
  readonly tallies = new Map<Period, Tally>();
  /** Where the log redacts subjects, and knows this one: what it is called there. */
  loggedName: string | undefined;
  dropped = false;

  constructor(id: string) {
    this.id = id;
  }
}
export type { Holder };

export interface QuotaMeterDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Where the log redacts subjects: what the book says is by these names. */
  readonly names?: LoggedNames | undefined;
}

export class QuotaMeter {
  readonly #plans: Plans;
  /** Those that quotas have. */
  readonly periods: readonly Period[];
  /** Whether some quota is of bytes. */
  readonly countsBytes: boolean;
  readonly #accounts = new Recurring<Principal, Account>();
  readonly #holders = new Map<string, Holder>();
  readonly #open = new Map<string, Account>();
  readonly #names: LoggedNames | undefined;
  readonly #byLoggedName = new Map<string, Holder>();
  /** Of those who have not asked since. */
  readonly #before = new LoggedUse();
  /** What others have not been told of. */
  #unsent = new Set<Holder>();
  #dropAt = 0;
  readonly #refused: ReadonlyMap<string, Counter>;
  readonly #overflow: Counter;

  constructor(options: UsageOptions, { log, metrics, names }: QuotaMeterDeps) {
    this.#names = names;
    this.#plans = new Plans(options, log);
    this.periods = periodsOf(options.plans);
    this.countsBytes = Object.values(options.plans).some(({ quota }) => quota?.bytes !== undefined);
    const refused = metrics.counter(
      "sallyport_quota_refused",
      "Requests refused because the quota of the plan was used up.",
      ["plan"],
    );
    const limited = Object.entries(options.plans).filter(([, { quota }]) => quota !== undefined);
    this.#refused = new Map(limited.map(([name]) => [name, refused.with(name)]));
    this.#overflow = metrics
      .counter(
        "sallyport_quota_overflow",
        "Requests that were held to no quota, because as many principals as can be were held to theirs.",
      )
      .with();
    metrics.sampled(
      "sallyport_quota_principals",
      "Principals whose quota is counted in memory.",
      () => this.#holders.size,
    );
  }

  /** One look-up for a principal that comes again. */
  account(principal: Principal, nowMs: number): Account {
    const known = this.#accounts.get(principal);
    if (known !== undefined && known.holder?.dropped !== true) return known;
    const plan = this.#plans.of(principal);
    const holder =
      plan.quota === undefined ? undefined : this.#holder(principalId(principal), nowMs);
    if (plan.quota !== undefined && holder === undefined) this.#overflow.inc();
    const account = { plan, holder };
    // Who found no place asks again.
    const settled = holder !== undefined || plan.quota === undefined;
    if (settled && this.#accounts.again(principal)) this.#accounts.keep(principal, account);
    return account;
  }

  /** Takes a request of this cost. Undefined where no quota holds the account. */
  take({ plan, holder }: Account, cost: number, nowMs: number): QuotaVerdict | undefined {
    if (holder === undefined || plan.quota === undefined) return undefined;
    const scaled = Math.round(cost * COST_SCALE);
    const tally = this.#tally(holder, plan.quota.per, nowMs);
    const verdict = quotaVerdict(plan.quota, tally, { cost: scaled, nowMs });
    if (verdict.refused === undefined)
      this.#add(holder, { requests: 1, bytes: 0, cost: scaled }, nowMs);
    else this.#refused.get(plan.name ?? "")?.inc();
    return verdict;
  }

  /** Another limit refused what was taken. */
  giveBack({ holder }: Account, cost: number, nowMs: number): void {
    if (holder === undefined) return;
    const scaled = Math.round(cost * COST_SCALE);
    this.#add(holder, { requests: -1, bytes: 0, cost: -scaled }, nowMs);
  }

  /** A request goes on whose bytes will count. */
  began(decisionId: string, account: Account): void {
    if (account.holder === undefined || account.plan.quota?.bytes === undefined) return;
    if (this.#open.size < LIMITS.open) this.#open.set(decisionId, account);
  }

  ended(decisionId: string, bytes: number, nowMs: number): void {
    const holder = this.#open.get(decisionId)?.holder;
    if (holder === undefined) return;
    this.#open.delete(decisionId);
    this.#add(holder, { requests: 0, bytes, cost: 0 }, nowMs);
  }

  /** What was let through here since it was last asked. */
  drain(): readonly QuotaStep[] {
    const steps: QuotaStep[] = [];
    for (const { id, tallies } of this.#unsent) {
      for (const [period, tally] of tallies) {
        const unsent = tally.drain();
        if (unsent !== undefined) {
          steps.push([id, period, tally.start, unsent.requests, unsent.bytes, unsent.cost]);
        }
      }
    }
    this.#unsent = new Set();
    return steps;
  }

  /** What was let through elsewhere, or before. */
  merge(steps: Iterable<QuotaStep>, nowMs: number): void {
    for (const step of steps) {
      const [id, period, start] = step;
      if (!this.periods.includes(period) || periodEnd(period, start) <= nowMs) continue;
      const known = this.#known(id);
      if (known === undefined && this.#names?.isName(id) === true) {
        if (this.#before.size < LIMITS.principals) this.#before.add(step);
        continue;
      }
      const holder = known ?? this.#holder(id, nowMs);
      if (holder !== undefined) this.#merge(holder, step, nowMs);
    }
  }

  #merge(holder: Holder, step: QuotaStep, nowMs: number): void {
    const [, period, start, requests, bytes, cost] = step;
    const tally = this.#tally(holder, period, Math.max(nowMs, start));
    if (tally.start === start) tally.merge({ requests, bytes, cost });
  }

  /** By its id, or by its name in the log. */
  #known(id: string): Holder | undefined {
    return this.#holders.get(id) ?? this.#byLoggedName.get(id);
  }

  /** What is known of one in a period that runs. */
  known(id: string, period: Period, start: number): Tally | undefined {
    const tally = this.#known(id)?.tallies.get(period);
    return tally?.start === start ? tally : undefined;
  }

  /** The same by names as the log has them. */
  asLogged(steps: readonly QuotaStep[]): readonly QuotaStep[] {
    if (this.#names === undefined) return steps;
    return steps.map((step) => {
      const [id, ...more] = step;
      const holder = this.#known(id);
      if (holder !== undefined) this.#name(holder);
      return [holder?.loggedName ?? id, ...more];
    });
  }

  /** All that is known of the periods that run. */
  *dump(nowMs: number): Generator<QuotaStep> {
    for (const { id, tallies } of this.#holders.values()) {
      for (const [period, { start, end, requests, bytes, cost }] of tallies) {
        if (nowMs < end) yield [id, period, start, requests, bytes, cost];
      }
    }
    yield* this.#before.all();
  }

  /** Forgets all that was used; the requests in flight stay. */
  clear(): void {
    for (const holder of this.#holders.values()) holder.tallies.clear();
    this.#before.forget(Number.POSITIVE_INFINITY);
    this.#unsent = new Set();
  }

  #add(
    holder: Holder,
    used: { requests: number; bytes: number; cost: number },
    nowMs: number,
  ): void {
    for (const period of this.periods) this.#tally(holder, period, nowMs).add(used);
    this.#unsent.add(holder);
  }

  #tally(holder: Holder, period: Period, nowMs: number): Tally {
    const known = holder.tallies.get(period);
    // A clock that went back a little stays in the period that has begun.
    if (known !== undefined && nowMs < known.end) return known;
    const start = periodStart(period, nowMs);
    const tally = new Tally(start, periodEnd(period, start));
    holder.tallies.set(period, tally);
    return tally;
  }

  #holder(id: string, nowMs: number): Holder | undefined {
    const known = this.#holders.get(id);
    if (known !== undefined) return known;
    if (this.#holders.size >= LIMITS.principals) this.#dropIdle(nowMs);
    if (this.#holders.size >= LIMITS.principals) return undefined;
    const holder = new Holder(id);
    this.#holders.set(id, holder);
    this.#name(holder);
    const { loggedName } = holder;
    if (loggedName === undefined) return holder;
    for (const step of this.#before.take(loggedName)) this.#merge(holder, step, nowMs);
    return holder;
  }

  /** The log may know it from its first record on. */
  #name(holder: Holder): void {
    holder.loggedName ??= this.#names?.nameOf(holder.id);
    if (holder.loggedName !== undefined) this.#byLoggedName.set(holder.loggedName, holder);
  }

  /** Those whose periods are all over have used nothing. Periods end with hours, so they are looked for once in each. */
  #dropIdle(nowMs: number): void {
    if (nowMs < this.#dropAt) return;
    this.#dropAt = periodEnd("hour", periodStart("hour", nowMs));
    this.#before.forget(nowMs);
    for (const [id, holder] of this.#holders) {
      if ([...holder.tallies.values()].some(({ end }) => nowMs < end)) continue;
      holder.dropped = true;
      this.#holders.delete(id);
      if (holder.loggedName !== undefined) this.#byLoggedName.delete(holder.loggedName);
    }
  }
}

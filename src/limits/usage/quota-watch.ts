/**
 * Says once for each principal and period that it has used the stated share of its quota, or all of it:
 * as an event in the log, and as a metric by plan. It counts what the book counts, so it knows of all
 * workers and of what was before a restart; that it was said is known from the log itself.
 */
import type { EventLog } from "../../model/events.ts";
import type { Clock, Counter, Family, Metrics } from "../../model/ports.ts";
import type { QuotaStep, QuotaUse } from "../../model/quota-steps.ts";
import type { DecisionLine, EventLine } from "../../model/record-feed.ts";
import { createPeriodStart, type Period, periodEnd, periodStart } from "./periods.ts";
import type { QuotaOptions, UsageOptions } from "./usage-options.ts";
import type { SumOf, Told, Used } from "./usage-book.ts";
import { COST_SCALE, principalName } from "./usage-lines.ts";
import type { Totals } from "./period-totals.ts";

const LIMITS = {
  /** What waits to be said; the log is not to be flooded when a period begins. */
  waiting: 10_000,
  /** Ticks after which it is said: until then what was said before a crash has been read again. */
  ticks: 3,
  /** Principals and periods of which is known what other machines let through. */
  elsewhere: 250_000,
} as const;

type QuotaEvent = "quota-warning" | "quota-exceeded";

interface Waiting extends Told {
  readonly event: QuotaEvent;
  readonly plan: string;
  readonly share: number;
  ticks: number;
  said: boolean;
}

export interface QuotaWatchDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly events: EventLog;
  /** Sums of the periods that run, from the file. */
  readonly totals: Totals;
  readonly isTold: (event: string, told: Told) => boolean;
  readonly tell: (event: string, told: Told) => void;
}

export interface QuotaWatch {
  counted(sum: SumOf, used: Used): void;
  denied(line: DecisionLine): void;
  told(line: EventLine): void;
  /** What other machines let through: it counts with the next request here. */
  usedElsewhere(steps: readonly QuotaStep[]): void;
  tick(): void;
}

/** Undefined where no plan has a quota. */
export function createQuotaWatch(
  options: UsageOptions,
  deps: QuotaWatchDeps,
): QuotaWatch | undefined {
  const limited = Object.values(options.plans).some(({ quota }) => quota !== undefined);
  return limited ? new Watch(options, deps) : undefined;
}

class Watch implements QuotaWatch {
  readonly #plans: UsageOptions["plans"];
  /** Those that quotas have. */
  readonly #periods: readonly {
    readonly period: Period;
    readonly startOf: (timeMs: number) => number;
  }[];
  readonly #deps: QuotaWatchDeps;
  readonly #waiting = new Map<string, Waiting>();
  /** By principal and period; without an entry nothing. */
  readonly #elsewhere = new Map<string, QuotaUse & { readonly endMs: number }>();
  readonly #counts: Readonly<Record<QuotaEvent, ReadonlyMap<string, Counter>>>;

  constructor({ plans }: UsageOptions, deps: QuotaWatchDeps) {
    this.#plans = plans;
    this.#periods = periodsOf(plans).map((period) => {
      return { period, startOf: createPeriodStart(period) };
    });
    this.#deps = deps;
    const ofPlans = (family: Family<Counter>): ReadonlyMap<string, Counter> =>
      new Map(Object.keys(plans).map((plan) => [plan, family.with(plan)]));
    this.#counts = {
      "quota-warning": ofPlans(
        deps.metrics.counter(
          "sallyport_quota_warnings",
          "Principals that have used the stated share of their quota in a period.",
          ["plan"],
        ),
      ),
      "quota-exceeded": ofPlans(
        deps.metrics.counter(
          "sallyport_quota_exceeded",
          "Principals that have used up their quota in a period.",
          ["plan"],
        ),
      ),
    };
  }

  counted({ key, hourMs }: SumOf, { requests, bytesIn, bytesOut, cost }: Used): void {
    const { plan, principal } = key;
    if (plan === "") return;
    const { quota, warnAt = 1 } = this.#plans[plan] ?? {};
    const used = { requests, bytes: bytesIn + bytesOut, cost };
    for (const { period, startOf } of this.#periods) {
      const of = { principal, period, start: startOf(hourMs) };
      const total = this.#deps.totals.add(of, used);
      // Records of a period that is over, read late, are counted and no longer told.
      if (total === undefined || total.warned || quota?.per !== period) continue;
      if (shareOf(this.#withOthers(total, of), quota) < warnAt) continue;
      total.warned = true;
      this.#wait({ event: "quota-warning", plan, share: warnAt, ...of });
    }
  }

  usedElsewhere(steps: readonly QuotaStep[]): void {
    const now = this.#deps.clock.now();
    if (this.#elsewhere.size + steps.length > LIMITS.elsewhere) {
      for (const [name, { endMs }] of this.#elsewhere) {
        if (endMs <= now) this.#elsewhere.delete(name);
      }
    }
    for (const [principal, period, start, requests, bytes, cost] of steps) {
      const name = principalPeriod({ principal, period, start });
      const known = this.#elsewhere.get(name);
      if (known === undefined && this.#elsewhere.size >= LIMITS.elsewhere) continue;
      const step = { requests, bytes, cost };
      const endMs = periodEnd(period, start);
      this.#elsewhere.set(name, { ...(known === undefined ? step : sum(known, step)), endMs });
    }
  }

  #withOthers(used: QuotaUse, of: Told): QuotaUse {
    if (this.#elsewhere.size === 0) return used;
    const others = this.#elsewhere.get(principalPeriod(of));
    return others === undefined ? used : sum(used, others);
  }

  /** A refusal is what says that it is exceeded: the last request of a quota is none. */
  denied({ principal, reason, usage, time }: DecisionLine): void {
    if (reason !== "quota-exceeded" || principal === undefined) return;
    const plan = usage?.plan ?? "";
    const quota = this.#plans[plan]?.quota;
    if (quota === undefined) return;
    const start = periodStart(quota.per, Date.parse(time));
    const told = { principal: principalName(principal), period: quota.per, start };
    this.#wait({ event: "quota-exceeded", plan, share: 1, ...told });
  }

  told({ event, principal = "", figures = {} }: EventLine): void {
    if (event !== "quota-warning" && event !== "quota-exceeded") return;
    const period = String(figures["period"]);
    const start = Date.parse(String(figures["from"]));
    if (Number.isNaN(start)) return;
    this.#deps.tell(event, { principal, period, start });
    this.#waiting.delete(nameOf(event, { principal, period, start }));
  }

  tick(): void {
    const now = this.#deps.clock.now();
    for (const [name, waiting] of this.#waiting) {
      if (periodStart(waiting.period as Period, now) > waiting.start) this.#waiting.delete(name);
      else if (!waiting.said && ++waiting.ticks >= LIMITS.ticks) this.#say(waiting, now);
    }
  }

  #wait(waiting: Omit<Waiting, "ticks" | "said">): void {
    const name = nameOf(waiting.event, waiting);
    if (this.#waiting.has(name) || this.#deps.isTold(waiting.event, waiting)) return;
    if (this.#waiting.size >= LIMITS.waiting) return;
    this.#waiting.set(name, { ...waiting, ticks: 0, said: false });
  }

  #say(waiting: Waiting, now: number): void {
    const { event, principal, plan, period, start, share } = waiting;
    waiting.said = true;
    this.#counts[event].get(plan)?.inc();
    const detail =
      event === "quota-warning"
        ? `${Math.round(share * 100)} % of the quota of plan "${plan}" is used in this ${period}`
        : `the quota of plan "${plan}" is used up in this ${period}`;
    const from = new Date(start).toISOString();
    this.#deps.events.event({
      timeMs: now,
      event,
      detail,
      principal,
      figures: { from, period, plan },
    });
  }
}

function nameOf(event: string, told: Told): string {
  return `${event}\n${principalPeriod(told)}`;
}

function principalPeriod({ principal, period, start }: Told): string {
  return `${period}\n${start}\n${principal}`;
}

function sum(one: QuotaUse, other: QuotaUse): QuotaUse {
  return {
    requests: one.requests + other.requests,
    bytes: one.bytes + other.bytes,
    cost: one.cost + other.cost,
  };
}

/** The periods that some quota is of. */
export function periodsOf(plans: UsageOptions["plans"]): readonly Period[] {
  return [...new Set(Object.values(plans).flatMap(({ quota }) => quota?.per ?? []))];
}

/** The largest share of what the quota names. `cost` of sums is in thousandths. */
export function shareOf(
  used: { readonly requests: number; readonly bytes: number; readonly cost: number },
  quota: QuotaOptions,
): number {
  return Math.max(
    partOf(used.requests, quota.requests),
    partOf(used.bytes, quota.bytes),
    partOf(used.cost / COST_SCALE, quota.cost),
  );
}

function partOf(value: number, most: number | undefined): number {
  return most === undefined ? 0 : value / most;
}

/** Where principals stand with the quotas of their plans, out of the book. */
import type { DatabaseSync } from "node:sqlite";
import type { QuotaUse } from "../../model/quota-steps.ts";
import { periodEnd, periodStart } from "./periods.ts";
import { readTotal } from "./period-totals.ts";
import { shareOf } from "./quota-watch.ts";
import { COST_SCALE } from "./usage-lines.ts";
import type { QuotaOptions, UsageOptions } from "./usage-options.ts";

export interface QuotaStanding {
  readonly principal: string;
  /** The one that its last request was on. */
  readonly plan: string;
  readonly quota: QuotaOptions;
  /** Milliseconds since the epoch. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly requests: number;
  readonly bytes: number;
  readonly cost: number;
  /** Of what the quota names, the largest part that is used; 1 is all. */
  readonly share: number;
}

export interface StandingsQuery {
  readonly plans: UsageOptions["plans"];
  readonly nowMs: number;
  /** One of these; anybody when left out. */
  readonly principal?: string | readonly string[] | undefined;
  readonly limit: number;
  /** Name of the last one of the page before. */
  readonly after?: string | undefined;
}

/** By name: those whose plan has a quota, and who asked for anything in this month. */
export function quotaStandings(database: DatabaseSync, query: StandingsQuery): QuotaStanding[] {
  const { plans, nowMs, principal, limit, after = "" } = query;
  const limited = Object.keys(plans).filter((name) => plans[name]?.quota !== undefined);
  if (limited.length === 0) return [];
  const month = periodStart("month", nowMs) / 1000;
  const named = typeof principal === "string" ? [principal] : principal;
  // Of a group with max(), SQLite gives the other columns of that very row.
  const text = `SELECT name, plan FROM
      (SELECT principals.name AS name, plan, max(hour) FROM usage
       JOIN principals ON principals.id = usage.principal
       WHERE hour >= ? AND plan <> '' AND name > ? ${named === undefined ? "" : `AND name IN (${marks(named)})`}
       GROUP BY usage.principal)
    WHERE plan IN (${marks(limited)}) ORDER BY name LIMIT ?`;
  const rows = database.prepare(text).all(month, after, ...(named ?? []), ...limited, limit);
  return rows.flatMap((row) => {
    const plan = String(row["plan"]);
    const quota = plans[plan]?.quota;
    return quota === undefined
      ? []
      : [standingOf(database, { principal: String(row["name"]), plan, quota, nowMs })];
  });
}

function marks(values: readonly unknown[]): string {
  return values.map(() => "?").join(", ");
}

/** The same, with what is known to have been used in all where that is more. */
export function standingWith(standing: QuotaStanding, all: QuotaUse): QuotaStanding {
  const used = {
    requests: Math.max(standing.requests, all.requests),
    bytes: Math.max(standing.bytes, all.bytes),
    cost: Math.max(Math.round(standing.cost * COST_SCALE), all.cost),
  };
  const share = shareOf(used, standing.quota);
  return { ...standing, ...used, cost: used.cost / COST_SCALE, share };
}

function standingOf(
  database: DatabaseSync,
  of: {
    readonly principal: string;
    readonly plan: string;
    readonly quota: QuotaOptions;
    readonly nowMs: number;
  },
): QuotaStanding {
  const { principal, plan, quota, nowMs } = of;
  const fromMs = periodStart(quota.per, nowMs);
  const used = readTotal(database, { principal, period: quota.per, start: fromMs });
  return {
    principal,
    plan,
    quota,
    fromMs,
    untilMs: periodEnd(quota.per, fromMs),
    requests: used.requests,
    bytes: used.bytes,
    cost: used.cost / COST_SCALE,
    share: shareOf(used, quota),
  };
}

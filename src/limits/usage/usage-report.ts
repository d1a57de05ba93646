/**
 * Reads the book: sums between two times, by whatever is asked for, in pages. Beside a proxy that writes
 * it; what was not committed yet comes a moment later.
 */
import type { DatabaseSync } from "node:sqlite";
import { COST_SCALE } from "./usage-lines.ts";

/** What sums can be by. Times are those of the calendar, UTC. */
export const DIMENSIONS = [
  "month",
  "day",
  "hour",
  "principal",
  "plan",
  "service",
  "route",
  "operation",
] as const;

export type Dimension = (typeof DIMENSIONS)[number];

/** By which a report can be narrowed. */
export const FILTERS = ["principal", "plan", "service", "route", "operation"] as const;

export interface UsageQuery {
  /** Milliseconds since the epoch: hours that begin at or after it … */
  readonly fromMs: number;
  /** … and before this. */
  readonly toMs: number;
  /** Each once; none: one sum of all. */
  readonly by: readonly Dimension[];
  /** Of several, one has to hold. */
  readonly only?: Readonly<Partial<Record<(typeof FILTERS)[number], string | readonly string[]>>>;
  /** Most rows. */
  readonly limit: number;
  /** Values of `by` of the last row of the page before. */
  readonly after?: readonly string[] | undefined;
}

export interface UsageRow {
  /** In the order of `by`. */
  readonly group: readonly string[];
  readonly requests: number;
  readonly denied: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly cost: number;
}

const EXPRESSIONS: Readonly<Record<Dimension, string>> = {
  month: "strftime('%Y-%m', hour, 'unixepoch')",
  day: "strftime('%Y-%m-%d', hour, 'unixepoch')",
  hour: "strftime('%Y-%m-%dT%HZ', hour, 'unixepoch')",
  principal: "principals.name",
  plan: "plan",
  service: "service",
  route: "route",
  operation: "operation",
};

/** In the order of the groups. */
export function reportUsage(database: DatabaseSync, query: UsageQuery): UsageRow[] {
  const { fromMs, toMs, by, only = {}, limit, after } = query;
  const groups = by.map((one) => EXPRESSIONS[one]);
  const where = ["hour >= ?", "hour < ?"];
  const values: (string | number)[] = [Math.ceil(fromMs / 1000), Math.ceil(toMs / 1000)];
  for (const name of FILTERS) {
    const value = only[name];
    if (value === undefined) continue;
    const several = typeof value === "string" ? [value] : value;
    where.push(`${EXPRESSIONS[name]} IN (${several.map(() => "?").join(", ")})`);
    values.push(...several);
  }
  if (after !== undefined && groups.length > 0) {
    if (after.length !== groups.length) throw new TypeError("a page of another report");
    where.push(`(${groups.join(", ")}) > (${groups.map(() => "?").join(", ")})`);
    values.push(...after);
  }
  const list = groups.map((group, index) => `${group} AS g${index}`);
  const grouped =
    groups.length === 0 ? "" : `GROUP BY ${groups.join(", ")} ORDER BY ${groups.join(", ")}`;
  const text = `SELECT ${[...list, SUMS].join(", ")}
    FROM usage JOIN principals ON principals.id = usage.principal
    WHERE ${where.join(" AND ")} ${grouped} LIMIT ?`;
  return database
    .prepare(text)
    .all(...values, limit)
    .map((row) => rowOf(row, groups.length));
}

/** Names that something was counted for in that time, in their order. */
export function usedNames(
  database: DatabaseSync,
  dimension: Exclude<(typeof FILTERS)[number], "principal">,
  { fromMs, toMs }: Pick<UsageQuery, "fromMs" | "toMs">,
): string[] {
  const text = `SELECT DISTINCT ${EXPRESSIONS[dimension]} AS name FROM usage
    WHERE hour >= ? AND hour < ? ORDER BY name`;
  return database
    .prepare(text)
    .all(Math.ceil(fromMs / 1000), Math.ceil(toMs / 1000))
    .map(({ name }) => String(name));
}

/** `total`, which is a float: what somebody planted in the log may add up to more than an integer of SQLite holds. */
const SUMS = `total(requests) AS requests, total(denied) AS denied, total(bytes_in) AS bytes_in,
  total(bytes_out) AS bytes_out, total(cost) AS cost`;

function rowOf(row: Readonly<Record<string, unknown>>, groups: number): UsageRow {
  const of = (name: string): number => Number(row[name] ?? 0);
  return {
    group: Array.from({ length: groups }, (_, index) => String(row[`g${index}`])),
    requests: of("requests"),
    denied: of("denied"),
    bytesIn: of("bytes_in"),
    bytesOut: of("bytes_out"),
    cost: of("cost") / COST_SCALE,
  };
}

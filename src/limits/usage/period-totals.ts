/**
 * What principals have used in the periods that run: read from the file once for each of them, and added
 * to from then on, so that nobody sums up a month for each request.
 */
import type { DatabaseSync } from "node:sqlite";
import { type Period, periodEnd } from "./periods.ts";
import type { Told } from "./usage-book.ts";

const LIMITS = {
  /** Principals and periods in memory, some 200 bytes each. With more of them all are read anew. */
  totals: 250_000,
} as const;

/** `cost` in thousandths. */
export interface Used {
  readonly requests: number;
  readonly bytes: number;
  readonly cost: number;
}

export interface Total {
  requests: number;
  bytes: number;
  cost: number;
  readonly start: number;
  readonly end: number;
  /** For whoever asks not to ask twice. */
  warned: boolean;
}

/** Whose total, of which period. */
export type TotalOf = Omit<Told, "period"> & { readonly period: Period };

export interface Totals {
  /** The total with it; undefined where the period is over. */
  add(of: TotalOf, used: Used): Total | undefined;
}

export class PeriodTotals implements Totals {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  /** By principal. */
  readonly #totals: Readonly<Record<Period, Map<string, Total>>> = {
    hour: new Map(),
    day: new Map(),
    month: new Map(),
  };

  constructor(database: DatabaseSync, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** Whether there is no room for more: `clear` is due. */
  get full(): boolean {
    const { hour, day, month } = this.#totals;
    return hour.size + day.size + month.size >= LIMITS.totals;
  }

  add({ principal, period, start }: TotalOf, used: Used): Total | undefined {
    const totals = this.#totals[period];
    let total = totals.get(principal);
    const end = total?.start === start ? total.end : periodEnd(period, start);
    if (end <= this.#now()) return undefined;
    if (total === undefined || total.start !== start) {
      const before = readTotal(this.#database, { principal, period, start });
      total = { ...before, start, end, warned: false };
      totals.set(principal, total);
    }
    total.requests += used.requests;
    total.bytes += used.bytes;
    total.cost += used.cost;
    return total;
  }

  /** To be called when all that was added is in the file. */
  clear(): void {
    for (const totals of Object.values(this.#totals)) totals.clear();
  }
}

/** What of a period is in the file. */
export function readTotal(
  database: DatabaseSync,
  { principal, period, start }: TotalOf,
): { requests: number; bytes: number; cost: number } {
  const row = database
    .prepare(
      `SELECT total(requests) AS requests, total(bytes_in + bytes_out) AS bytes, total(cost) AS cost
       FROM usage WHERE principal = (SELECT id FROM principals WHERE name = ?)
         AND hour >= ? AND hour < ?`,
    )
    .get(principal, start / 1000, periodEnd(period, start) / 1000);
  const of = (name: string): number => Number(row?.[name] ?? 0);
  return { requests: of("requests"), bytes: of("bytes"), cost: of("cost") };
}

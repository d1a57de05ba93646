/** What everybody has used in the periods that run, as the book has it. */
import type { DatabaseSync } from "node:sqlite";
import type { QuotaStep } from "../../model/quota-steps.ts";
import { type Period, periodEnd, periodStart } from "./periods.ts";

/** Those without a plan have no quota, and are left out. */
export function* periodSteps(
  database: DatabaseSync,
  periods: readonly Period[],
  nowMs: number,
): Generator<QuotaStep> {
  const statement = database.prepare(
    `SELECT name, requests, bytes, cost FROM
       (SELECT principal, total(requests) AS requests, total(bytes_in + bytes_out) AS bytes,
          total(cost) AS cost
        FROM usage WHERE hour >= ? AND hour < ? AND plan <> '' GROUP BY principal)
     JOIN principals ON id = principal`,
  );
  for (const period of periods) {
    const start = periodStart(period, nowMs);
    for (const row of statement.iterate(start / 1000, periodEnd(period, start) / 1000)) {
      const of = (name: string): number => Number(row[name]);
      yield [String(row["name"]), period, start, of("requests"), of("bytes"), of("cost")];
    }
  }
}

/** What processes tell each other of quotas. */

/** What a principal has used in a period. `cost` in thousandths. */
export interface QuotaUse {
  readonly requests: number;
  readonly bytes: number;
  readonly cost: number;
}

/** Principal, period, its beginning (milliseconds since the epoch), requests, bytes, cost in thousandths. */
export type QuotaStep = readonly [
  principal: string,
  period: "hour" | "day" | "month",
  start: number,
  requests: number,
  bytes: number,
  cost: number,
];

const PERIODS: ReadonlySet<unknown> = new Set(["hour", "day", "month"]);

export function isQuotaStep(value: unknown): value is QuotaStep {
  if (!Array.isArray(value) || value.length !== 6) return false;
  const [principal, period, ...numbers] = value as unknown[];
  return (
    typeof principal === "string" && PERIODS.has(period) && numbers.every(Number.isSafeInteger)
  );
}

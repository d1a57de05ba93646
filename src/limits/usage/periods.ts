/** Periods of the calendar, UTC: where one begins and ends. Times are milliseconds since the epoch. */

/** From short to long. */
export const PERIODS = ["hour", "day", "month"] as const;

export type Period = (typeof PERIODS)[number];

export const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Where the period begins in which the time lies. */
export function periodStart(period: Period, timeMs: number): number {
  if (period === "hour") return timeMs - mod(timeMs, HOUR_MS);
  if (period === "day") return timeMs - mod(timeMs, DAY_MS);
  const date = new Date(timeMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
}

/** Returns the same for times that come in their order: those of one hour are worked out once. */
export function createPeriodStart(period: Period): (timeMs: number) => number {
  let hourMs = Number.NaN;
  let startMs = 0;
  return (timeMs) => {
    // A period begins with an hour.
    if (!(timeMs >= hourMs && timeMs < hourMs + HOUR_MS)) {
      hourMs = periodStart("hour", timeMs);
      startMs = periodStart(period, timeMs);
    }
    return startMs;
  };
}

/** Where the one after it begins. */
export function periodEnd(period: Period, startMs: number): number {
  if (period === "hour") return startMs + HOUR_MS;
  if (period === "day") return startMs + DAY_MS;
  const date = new Date(startMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

/** `2026-11-27T04Z`: the name of an hour. */
export function hourText(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 13)}Z`;
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}

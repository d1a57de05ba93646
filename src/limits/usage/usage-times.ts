/** Times of a report as people write them → hours. Undefined: none of these. */
import { HOUR_MS, periodEnd } from "./periods.ts";

export const TIME_REMEDY =
  "2026-11, 2026-11-27, 2026-11-27T04Z, or a time with a zone at a whole hour";

const FORMS = /^(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::00(?::00(?:\.000)?)?)?Z)?)?$/;

/** The beginning of a month, a day or an hour, UTC. Sums are of whole hours, so other times have no answer. */
export function readHour(text: string): number | undefined {
  const [, year, month, day = "01", hour = "00"] = FORMS.exec(text) ?? [];
  if (year === undefined || month === undefined) return readZoned(text);
  const iso = `${year}-${month}-${day}T${hour}:00:00.000Z`;
  const timeMs = Date.parse(iso);
  // The 31st of February is no day, and Date would make it one.
  return Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== iso ? undefined : timeMs;
}

function readZoned(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?[+-]\d\d:\d\d$/.test(text)) return undefined;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) || timeMs % HOUR_MS !== 0 ? undefined : timeMs;
}

/** Without one: from the beginning of this month to the end of this hour. */
export function usualHours(nowMs: number): { readonly fromMs: number; readonly toMs: number } {
  const now = new Date(nowMs);
  const fromMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1);
  return { fromMs, toMs: periodEnd("hour", nowMs - (nowMs % HOUR_MS)) };
}

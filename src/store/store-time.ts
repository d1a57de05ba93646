import { STORE_LIMITS } from "./limits.ts";

/**
 * The store's clock: the machine's, save that it does not go back by a small step (NTP), so that a
 * later commit has no earlier time. The same rule stands in SQL in `postgres-statements.ts`.
 */
export function storeTime(lastMs: number, nowMs: number): number {
  const back = lastMs - nowMs;
  return back > 0 && back <= STORE_LIMITS.clockStep ? lastMs : nowMs;
}

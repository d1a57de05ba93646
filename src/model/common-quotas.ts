/** Where all machines add up what principals use of their quotas, where there is something of the kind. */
import type { QuotaStep, QuotaUse } from "./quota-steps.ts";

/** What one machine says of a principal in a period. */
export interface QuotaEntry {
  /** What was used there since it last said so. */
  readonly step: QuotaStep;
  /** What it knew of before, of all machines: what was lost in common is made good by it. */
  readonly known: QuotaUse;
  /** Milliseconds for which it has to be kept. */
  readonly keepMs: number;
}

export interface CommonQuotas {
  /**
   * Adds what was used. A batch of the same number is added once, however often it is said, so what had no
   * answer is said again as it was. Rejects with SallyportError `memory-unavailable`.
   */
  add(number: number, entries: readonly QuotaEntry[]): Promise<CommonSums>;
}

export interface CommonSums {
  /** Number of the last batch of this machine that was known; -1: none. With an older one than there was, sums were lost. */
  readonly last: number;
  /** What all have used, in the order of the entries. */
  readonly uses: readonly QuotaUse[];
}

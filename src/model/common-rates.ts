/** What all machines count rates in, where there is something of the kind. */
import type { RateVerdict } from "./ports.ts";
import type { RateUnits } from "./rate.ts";

/** A rate that all machines count as one, and whose request this is. */
export interface CommonRate {
  /** The same on every machine with the same definition of it. */
  readonly id: string;
  readonly units: RateUnits;
  readonly key: string;
}

export interface CommonRates {
  /**
   * Takes one request of each of them, or of none, in one step that is whole in itself. Rejects with
   * SallyportError `memory-unavailable` where it cannot be known; it may have been counted then.
   */
  take(rates: readonly CommonRate[]): Promise<CommonVerdict>;
}

/** Either what each of them says, in their order, or the first that has no room. */
export type CommonVerdict =
  | { readonly refused: undefined; readonly verdicts: readonly RateVerdict[] }
  | { readonly refused: number; readonly verdict: RateVerdict };

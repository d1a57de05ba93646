/**
 * What an alert is here: one value from which the rule, its paragraph in docs/operations.md and its two
 * tests (a case in which it fires, and one in which it is quiet) are written, so that none goes without the others.
 */
export interface Alert {
  readonly name: `Sallyport${string}`;
  /** `page`: wakes somebody. `ticket`: within the working day. `info`: shown beside others. */
  readonly severity: "page" | "ticket" | "info";
  /** How long it has to hold. */
  readonly for: string;
  readonly expr: string;
  /** One line, with `{{ $labels.… }}`. */
  readonly summary: string;
  readonly means: string;
  readonly look: string;
  readonly act: string;
  /** Series in the notation of `promtool test rules`, one sample a minute. */
  readonly fires: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
  /** When both are looked at; 20m when left out. */
  readonly at?: string;
}

export interface AlertGroup {
  readonly name: string;
  readonly alerts: readonly Alert[];
}

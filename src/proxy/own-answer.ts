/** What we answer by ourselves before the gate: a public document. */
export interface OwnAnswer {
  readonly status: number;
  /** Name, value, name, value, … */
  readonly fields: readonly string[];
  readonly body: string;
}

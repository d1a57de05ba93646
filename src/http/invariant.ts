/**
 * States what a state machine takes for granted. `node:assert` does the same at ten times the price
 * (0.1 us a call on Bun, some ten calls a request), and formats values that may hold a secret.
 */

/** Throws when `condition` does not hold: a defect of ours, which ends the connection and is logged. */
export function invariant(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new TypeError(`defect: ${otherwise}`);
}

/** What was thrown, as an Error: for the log. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

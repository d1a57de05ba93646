/**
 * What the HPACK decoder returns instead of fields. Faults are values: hostile bytes are ordinary input,
 * and each fault is made once, at load, so that refusing allocates nothing.
 */

export interface HpackFault {
  /** `compression` ends the connection; after `too-large` it may go on. */
  readonly fault: "compression" | "too-large";
  /** For the operator: the rule that was broken. Holds no byte of the block. */
  readonly detail: string;
}

/** Tells a fault from decoded fields. */
export function isHpackFault(result: readonly string[] | HpackFault): result is HpackFault {
  return "fault" in result;
}

/** A frozen fault. */
export function hpackFault(fault: HpackFault["fault"], detail: string): HpackFault {
  return Object.freeze({ fault, detail });
}

/**
 * What the parsers of this folder return instead of a value when the bytes break a rule.
 *
 * Faults are values and not exceptions because hostile bytes are ordinary input here, and a throw
 * costs more than the parse. Each is made once, at load, so refusing allocates nothing.
 */
import type { Reason } from "../model/reason.ts";

export interface HeadFault {
  readonly reason: Reason;
  /** For the operator: the rule that was broken. Holds no byte of the message. */
  readonly detail: string;
}

/** A frozen fault; `malformed-request` is the usual reason. */
export function headFault(detail: string, reason: Reason = "malformed-request"): HeadFault {
  return Object.freeze({ reason, detail });
}

/** Tells a fault from a parsed value. */
export function isHeadFault(result: object): result is HeadFault {
  return "reason" in result;
}

/** Why there is no key for a service now. */
import type { Reason } from "../model/reason.ts";

export class KeyFault {
  readonly reason: Extract<Reason, "key-unavailable" | "key-refused">;
  /** For the operator; holds no secret. */
  readonly detail: string;

  constructor(reason: KeyFault["reason"], detail: string) {
    this.reason = reason;
    this.detail = detail;
  }
}

/** The authority cannot be reached, or answers what is no key: later it may. */
export function unavailable(detail: string): KeyFault {
  return new KeyFault("key-unavailable", detail);
}

/** The authority does not give us one. */
export function refused(detail: string): KeyFault {
  return new KeyFault("key-refused", detail);
}

import type { Reason } from "../model/reason.ts";

/** Why a permitted request cannot be sent; nothing of it was. */
export interface Unsent {
  readonly reason: Reason;
  /** For the operator; holds no value. */
  readonly detail: string;
}

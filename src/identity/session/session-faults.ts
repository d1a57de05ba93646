/** Why a cookie is no session, or one no more. Details are for the operator and hold nothing of the cookie. */
import type { Reason } from "../../model/reason.ts";
import { isMemoryFault, type Read } from "./session-store.ts";

export interface SessionFault {
  readonly failure: Reason;
  readonly detail: string;
}

export const IDLE = "past its idle lifetime";

export const FORMER: SessionFault = Object.freeze({
  failure: "session-expired",
  detail: "a former cookie of a session whose browser has a newer one",
});

/** Of what a store could not read. */
export const READ_FAULTS: Readonly<
  Record<Extract<Read, { fault: unknown }>["fault"], SessionFault>
> = {
  form: { failure: "invalid-session", detail: "not in the form of a sealed session" },
  changed: { failure: "invalid-session", detail: "changed, or sealed for something else" },
  "unknown-key": { failure: "session-expired", detail: "sealed under a key that is not known" },
  gone: { failure: "session-expired", detail: "not in the memory that it was kept in" },
};

export function expired(detail: string): SessionFault {
  return { failure: "session-expired", detail };
}

/** What cannot be known is refused; the cookie stays. Throws again what is no fault of the memory's. */
export function memoryFailure(error: unknown): SessionFault {
  if (!isMemoryFault(error)) throw error;
  return { failure: "memory-unavailable", detail: error.message };
}

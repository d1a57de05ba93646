import type { Reason } from "../../model/reason.ts";

/** Why a proof proves nothing. */
export class ProofFault {
  readonly reason: Reason;
  /** For the operator; holds nothing of the proof. */
  readonly detail: string;

  constructor(reason: Reason, detail: string) {
    this.reason = reason;
    this.detail = detail;
  }
}

/** A rule of RFC 9449 section 4.3 that it breaks. */
export function invalidProof(detail: string): ProofFault {
  return new ProofFault("invalid-proof", detail);
}

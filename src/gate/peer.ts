/** Step: looks at the certificate of the caller's connection, where the listener asks for one. */
import type { Deciding } from "./decision.ts";
import type { StepResult } from "./step.ts";

/** The certificate was verified with the connection; whether it still stands is asked every time. */
export function peer(deciding: Deciding): StepResult {
  const { tls } = deciding.input.peer;
  if (tls === undefined) return undefined;
  const reason = tls.refusal(deciding.timeMs);
  if (reason === undefined) return undefined;
  deciding.detail = tls.detail;
  if (tls.thumbprint !== undefined) {
    deciding.credentials = [{ kind: "certificate", hash: tls.thumbprint, outcome: "refused" }];
  }
  return reason;
}

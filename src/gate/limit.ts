/** Step: asks the limits of the route, once policy has permitted. */
import type { Admission } from "../limits/route-limits.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps, StepResult } from "./step.ts";

export function limit(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  const limits = deciding.route?.limits;
  if (limits === undefined) return undefined;
  const { principal, request } = deciding;
  if (principal === undefined || request === undefined) {
    throw new TypeError("limit comes after authorize");
  }
  const caller = { principal, address: request.clientAddress };
  const admission = limits.admit(caller, deps.clock.monotonic());
  return admission instanceof Promise
    ? admission.then((settled) => admitted(deciding, settled))
    : admitted(deciding, admission);
}

function admitted(deciding: Deciding, admission: Admission): StepResult {
  deciding.admission = admission;
  if (admission.reason !== undefined) {
    const which = `the limit "${admission.limit}" of the route`;
    deciding.detail =
      admission.reason === "memory-unavailable" ? `${which} cannot be counted` : which;
  }
  return admission.reason;
}

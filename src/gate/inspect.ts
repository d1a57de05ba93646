/**
 * Step: reads the body on routes whose policies look into it. It is held as a whole, and what goes on to
 * the service is what was read, so policy and service see the same bytes.
 *
 * Refuses a body that is not JSON in UTF-8 by its type or has a coding (415), that is larger than the
 * route takes (413), that does not come whole (400, 408), for which there is no room (503), or that cannot
 * be read in one way only (400). A request without a body goes on without one.
 */
import { jsonBodyFault } from "../wire/json-body.ts";
import type { Deciding } from "./decision.ts";
import { hasBody, hold } from "./hold.ts";
import { type Inspection, isInspectionFault } from "./inspection.ts";
import { seenFields } from "./seen-fields.ts";
import type { GateDeps, StepResult } from "./step.ts";

export function inspect(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  const inspection = deciding.route?.inspect;
  if (inspection === undefined || !hasBody(deciding)) return undefined;
  const unsupported = jsonBodyFault(seenFields(deciding.input.head));
  if (unsupported !== undefined) {
    deciding.detail = unsupported;
    return "unsupported-body";
  }
  return hold(deciding, inspection.limit, deps).then(
    (result) => result ?? judge(deciding, inspection),
  );
}

/** Step, for a stream that is decided about again: its body is gone, what was read of it stays. */
export function inspectedBefore(deciding: Deciding): StepResult {
  const inspection = deciding.route?.inspect;
  if (inspection === undefined) deciding.inspected = undefined;
  else if (deciding.inspected?.shape !== inspection.shape && hasBody(deciding)) {
    deciding.detail = "the route reads other parts of bodies now";
    return "no-route";
  }
  return undefined;
}

function judge(deciding: Deciding, inspection: Inspection): StepResult {
  const read = inspection.read(deciding.held?.bytes ?? NO_BYTES);
  if (isInspectionFault(read)) {
    deciding.detail = read.fault;
    return "invalid-body";
  }
  deciding.inspected = read;
  return undefined;
}

const NO_BYTES = new Uint8Array(0);

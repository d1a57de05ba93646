/**
 * Step: reads the body on routes whose policies look into it. It is held as a whole, and what goes on to
 * the service is what was read, so policy and service see the same bytes.
 *
 * Refuses a body that is not JSON in UTF-8 by its type or has a coding (415), that is larger than the
 * route takes (413), that does not come whole (400, 408), for which there is no room (503), or that cannot
 * be read in one way only (400). A request without a body goes on without one.
 */
import { checkFacts } from "../identity/checks.ts";
import type { BodyFault, HeldBody } from "../model/http.ts";
import { jsonBodyFault } from "../wire/json-body.ts";
import type { Deciding } from "./decision.ts";
import { type Inspection, isInspectionFault } from "./inspection.ts";
import { seenFields } from "./seen-fields.ts";
import type { GateDeps, StepResult } from "./step.ts";

export function inspect(deciding: Deciding, deps: GateDeps): StepResult | Promise<StepResult> {
  const inspection = deciding.route?.inspect;
  if (inspection === undefined || !hasBody(deciding)) return undefined;
  const { head, body } = deciding.input;
  const unsupported = jsonBodyFault(seenFields(head));
  if (unsupported !== undefined || body === undefined) {
    deciding.detail = unsupported ?? "a body that cannot be read here";
    return "unsupported-body";
  }
  return body(inspection.limit).then((held) => judge(deciding, { held, inspection, deps }));
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

function hasBody({ input }: Deciding): boolean {
  const { bodyKind, contentLength } = input.head;
  return bodyKind !== "none" && !(bodyKind === "length" && contentLength === 0);
}

interface Read {
  readonly held: HeldBody | BodyFault;
  readonly inspection: Inspection;
  readonly deps: GateDeps;
}

function judge(deciding: Deciding, { held, inspection, deps }: Read): StepResult {
  // The caller took its time: what policies see as the time, and what may have lapsed, is of now.
  deciding.timeMs = deps.clock.now();
  if ("fault" in held) {
    deciding.detail = held.detail;
    return held.fault;
  }
  deciding.held = held;
  const lapsed = lapsedMeanwhile(deciding);
  if (lapsed !== undefined) return lapsed;
  const read = inspection.read(held.bytes);
  if (isInspectionFault(read)) {
    deciding.detail = read.fault;
    return "invalid-body";
  }
  deciding.inspected = read;
  return undefined;
}

function lapsedMeanwhile(deciding: Deciding): StepResult {
  const { facts, good = facts === undefined ? [] : [facts], timeMs, route } = deciding;
  for (const one of good) {
    const refused = checkFacts(one, timeMs, route?.audience);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

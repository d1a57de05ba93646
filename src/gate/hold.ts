/** Holds the body of a request before it is decided, for the steps that look into it. */
import { checkFacts } from "../identity/checks.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps, StepResult } from "./step.ts";

export function hasBody({ input }: Deciding): boolean {
  const { bodyKind, contentLength } = input.head;
  return bodyKind !== "none" && !(bodyKind === "length" && contentLength === 0);
}

/** Resolves to the reason why there is none, or undefined once `deciding.held` has it. To be called once. */
export async function hold(
  deciding: Deciding,
  maxBytes: number,
  deps: Pick<GateDeps, "clock">,
): Promise<StepResult> {
  const { body } = deciding.input;
  if (body === undefined) {
    deciding.detail = "a body that cannot be read here";
    return "unsupported-body";
  }
  const held = await body(maxBytes);
  // The caller took its time: what policies see as the time, and what may have lapsed, is of now.
  deciding.timeMs = deps.clock.now();
  if ("fault" in held) {
    deciding.detail = held.detail;
    return held.fault;
  }
  deciding.held = held;
  return lapsedMeanwhile(deciding);
}

function lapsedMeanwhile(deciding: Deciding): StepResult {
  const { facts, good = facts === undefined ? [] : [facts], timeMs, route } = deciding;
  for (const one of good) {
    const refused = checkFacts(one, timeMs, route?.audience);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

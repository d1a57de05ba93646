/** What a policy says about itself: each annotation that we know, checked; others are the author's own. */
import type { PolicyJson } from "../cedar/policy-json.ts";
import { readStepUp, STEP_UP_ANNOTATION, STEP_UP_REMEDY } from "../step-up.ts";

/** How much it matters when the policy is wrong, for findings and reviews. */
export const SEVERITIES = ["low", "medium", "high", "critical"] as const;

export interface AnnotationFault {
  readonly message: string;
  readonly remedy: string;
}

export function annotationFaults({ effect, annotations = {} }: PolicyJson): AnnotationFault[] {
  return Object.entries(annotations).flatMap(([name, value]) => {
    const fault = faultOf(name, value ?? "", effect);
    return fault === undefined ? [] : [fault];
  });
}

function faultOf(
  name: string,
  value: string,
  effect: PolicyJson["effect"],
): AnnotationFault | undefined {
  if (name === STEP_UP_ANNOTATION) return stepUpFault(value, effect);
  if (name === "severity" && !(SEVERITIES as readonly string[]).includes(value)) {
    return {
      message: `the policy's @severity cannot be ${JSON.stringify(value)}`,
      remedy: `one of ${SEVERITIES.join(", ")}`,
    };
  }
  if ((name === "description" || name === "owner") && value.trim() === "") {
    return { message: `the policy's @${name} is empty`, remedy: "a text, or no annotation" };
  }
  return undefined;
}

function stepUpFault(value: string, effect: PolicyJson["effect"]): AnnotationFault | undefined {
  const message =
    effect === "permit"
      ? "@step_up on a permit: only what forbids can be overcome by a login"
      : readStepUp(value) === undefined
        ? "the policy's @step_up cannot be read"
        : undefined;
  return message === undefined ? undefined : { message, remedy: STEP_UP_REMEDY };
}

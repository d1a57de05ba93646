/** What a login has to be, said beside what is wrong (RFC 9470 section 3). */
import type { StepUp } from "../model/policy.ts";

/** Values hold no character that a quoted-string would have to escape (`policy/step-up.ts`). */
export function withStepUp(challenge: string, stepUp: StepUp | undefined): string {
  if (stepUp === undefined) return challenge;
  const { acrValues, maxAgeSeconds } = stepUp;
  const acr = acrValues.length === 0 ? "" : `, acr_values="${acrValues.join(" ")}"`;
  return challenge + acr + (maxAgeSeconds === undefined ? "" : `, max_age="${maxAgeSeconds}"`);
}

/**
 * `@step_up("acr=urn:example:gold max_age=300")` on a `forbid`: what a login has to be so that the policy no longer
 * applies. Where nothing but such policies forbids, the caller is told what to log in with (RFC 9470) instead
 * of that it is forbidden.
 *
 * The annotation decides nothing: the conditions of the policy do. Refuses text that it cannot read whole, since
 * a caller would be sent to log in for nothing.
 */
import type { StepUp } from "../model/policy.ts";

export const STEP_UP_ANNOTATION = "step_up";

const LIMITS = {
  /** Values of `acr`, each of so many characters: they go into a header field and an address. */
  acrValues: 8,
  acrChars: 256,
} as const;

/** RFC 6749 section 3.3 has the same characters for a scope; none needs an escape in a quoted-string. */
const ACR = new RegExp(`^[\\x21\\x23-\\x2b\\x2d-\\x5b\\x5d-\\x7e]{1,${LIMITS.acrChars}}$`);

export const STEP_UP_REMEDY =
  '@step_up("acr=NAME,OTHER max_age=SECONDS") on a forbid, with either or both';

/** Undefined: it cannot be read. */
export function readStepUp(text: string): StepUp | undefined {
  let acrValues: readonly string[] | undefined;
  let maxAgeSeconds: number | undefined;
  for (const part of text.split(" ").filter((one) => one !== "")) {
    const equals = part.indexOf("=");
    const [name, value] = [part.slice(0, equals), part.slice(equals + 1)];
    if (name === "acr" && acrValues === undefined) {
      acrValues = value.split(",");
      if (acrValues.length > LIMITS.acrValues) return undefined;
      if (!acrValues.every((one) => ACR.test(one))) return undefined;
    } else if (name === "max_age" && maxAgeSeconds === undefined) {
      if (!/^(?:0|[1-9][0-9]{0,7})$/.test(value)) return undefined;
      maxAgeSeconds = Number(value);
    } else {
      return undefined;
    }
  }
  if (acrValues === undefined && maxAgeSeconds === undefined) return undefined;
  return Object.freeze({ acrValues: Object.freeze(acrValues ?? []), maxAgeSeconds });
}

/**
 * One login for all of them: the contexts that each takes, and the shortest time. Where no context does for
 * all, those of the first: the others ask for theirs afterwards. Undefined where one of them asks for no login.
 */
export function stepUpOf(
  forbids: readonly { readonly stepUp: StepUp | undefined }[],
): StepUp | undefined {
  let all: StepUp | undefined;
  for (const { stepUp } of forbids) {
    if (stepUp === undefined) return undefined;
    all = all === undefined ? stepUp : both(all, stepUp);
  }
  return all;
}

function both(one: StepUp, other: StepUp): StepUp {
  const ages = [one.maxAgeSeconds, other.maxAgeSeconds].filter((age) => age !== undefined);
  return {
    acrValues: commonAcr(one.acrValues, other.acrValues),
    maxAgeSeconds: ages.length === 0 ? undefined : Math.min(...ages),
  };
}

function commonAcr(one: readonly string[], other: readonly string[]): readonly string[] {
  if (one.length === 0) return other;
  const common = other.length === 0 ? one : one.filter((acr) => other.includes(acr));
  return common.length === 0 ? one : common;
}

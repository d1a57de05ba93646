/** The header fields that the caller receives of a service's answer. */
import type { Fields } from "../model/http.ts";
import { isIdentityName } from "../wire/identity-fields.ts";
import { setsOwnCookie } from "../wire/own-cookies.ts";
import { createFieldNames, DROPPED } from "./field-names.ts";
import type { HeaderRules } from "./plan.ts";

/**
 * Makes the function that builds the fields for one route. A service cannot speak in our name: our
 * fields are stripped from its answer, then written. `isTaken` says of which other names only ours go
 * out.
 */
export function createResponseFields(
  rules: HeaderRules,
  {
    isTaken = nothing,
    ownCookies = false,
  }: {
    readonly isTaken?: ((name: string) => boolean) | undefined;
    /** Whether browsers may have cookies of ours: a service sets none of them. */
    readonly ownCookies?: boolean;
  } = {},
): (fields: Fields, decisionId: string) => string[] {
  const nameOf = createFieldNames(rules, (name) => !isIdentityName(name) && !isTaken(name));
  const constant = [...rules.set, ...rules.add];
  return (fields, decisionId) => {
    const result: string[] = [];
    for (let index = 0; index < fields.length; index += 2) {
      const name = nameOf(fields[index] as string);
      if (name === DROPPED) continue;
      const value = fields[index + 1] as string;
      // By the name that it goes out under: a rule may have renamed it.
      if (ownCookies && name === "set-cookie" && setsOwnCookie(value)) continue;
      result.push(name, value);
    }
    result.push("sallyport-decision", decisionId);
    for (const part of constant) result.push(part);
    return result;
  };
}

function nothing(): boolean {
  return false;
}

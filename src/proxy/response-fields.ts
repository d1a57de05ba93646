/** The header fields that the caller receives of a service's answer. */
import type { Fields } from "../model/http.ts";
import { isIdentityName } from "../wire/identity-fields.ts";
import { createFieldNames, DROPPED } from "./field-names.ts";
import type { HeaderRules } from "./plan.ts";

/**
 * Makes the function that builds the fields for one route. A service cannot speak in our name: our
 * fields are stripped from its answer, then written. `isTaken` says of which other names only ours go
 * out.
 */
export function createResponseFields(
  rules: HeaderRules,
  isTaken: (name: string) => boolean = nothing,
): (fields: Fields, decisionId: string) => string[] {
  const nameOf = createFieldNames(rules, (name) => !isIdentityName(name) && !isTaken(name));
  const constant = [...rules.set, ...rules.add];
  return (fields, decisionId) => {
    const result: string[] = [];
    for (let index = 0; index < fields.length; index += 2) {
      const name = nameOf(fields[index] as string);
      if (name !== DROPPED) result.push(name, fields[index + 1] as string);
    }
    result.push("sallyport-decision", decisionId);
    for (const part of constant) result.push(part);
    return result;
  };
}

function nothing(): boolean {
  return false;
}

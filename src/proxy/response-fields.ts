/** The header fields that the caller receives of a service's answer. */
import type { Fields } from "../model/http.ts";
import { isIdentityName } from "../wire/identity-fields.ts";
import type { HeaderRules } from "./plan.ts";

/** A service cannot speak in our name: our fields are stripped from its answer, then written. */
export function responseFields(fields: Fields, rules: HeaderRules, decisionId: string): string[] {
  const result: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (isIdentityName(name) || rules.remove.has(name)) continue;
    result.push(name, fields[index + 1] as string);
  }
  result.push("sallyport-decision", decisionId);
  for (const part of rules.set) result.push(part);
  return result;
}

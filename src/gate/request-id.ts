/**
 * The caller's `x-request-id` where it is single and harmless, so that a chain of services shares
 * one; it is only ever written to records and headers, never trusted.
 */
import type { Fields } from "../model/http.ts";
import { isRequestId } from "../wire/request-id.ts";

/** The request's own id, or undefined. */
export function requestIdOf(fields: Fields): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== "x-request-id") continue;
    if (found !== undefined) return undefined;
    found = fields[index + 1];
  }
  return found !== undefined && isRequestId(found) ? found : undefined;
}

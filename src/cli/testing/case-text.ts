/** What was asked and what came out, in words. */
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import type { CaseResult } from "../../policy/testing/run-tests.ts";
import { principalId } from "../../model/principal.ts";
import { PRINCIPAL_TYPES } from "../../policy/cedar-names.ts";

export function askedText({ request }: CaseResult): string {
  if (request === undefined) return "a request that no route takes";
  const { principal, method, action, host, path, query, route, issue } = request;
  const who = `${PRINCIPAL_TYPES[principal.kind]}::${JSON.stringify(principalId(principal))}`;
  if (issue !== undefined) return `a key for ${issue.service} as ${who}`;
  if (route === ADMIN_ROUTE) return `${action} as ${who}`;
  const target = `${host}${path}${query === undefined ? "" : `?${query}`}`;
  const operation = action === method ? "" : ` (${action})`;
  return `${method} ${target}${operation} as ${who}, on the route ${route}`;
}

/** `no policy decided`, or which ones did and which failed. */
export function decidedText({ actual }: CaseResult): string {
  const { determining, erroring } = actual;
  const decided = determining.length === 0 ? "no policy" : determining.join(", ");
  const failed = erroring.length === 0 ? "" : `; could not be evaluated: ${erroring.join(", ")}`;
  return `decided by ${decided}${failed}`;
}

/**
 * Step: a credential that was narrowed (RFC 9396 `authorization_details`) is good for requests that fit one of
 * its entries, whatever policies would say of its principal. Each of several credentials that is narrowed
 * has to fit: adding a wider one beside it makes it no wider.
 */
import type { AccessDetail } from "../model/access-detail.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { Deciding } from "./decision.ts";
import type { StepResult } from "./step.ts";

export function narrowed(deciding: Deciding): StepResult {
  const { facts, good } = deciding;
  if (good === undefined)
    return facts?.narrowed === undefined ? undefined : within(deciding, facts);
  for (let index = 0; index < good.length; index++) {
    const one = good[index] as CredentialFacts;
    const refused = one.narrowed === undefined ? undefined : within(deciding, one);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function within(deciding: Deciding, facts: CredentialFacts): StepResult {
  if (facts.narrowed?.some((detail) => fits(deciding, detail)) === true) return undefined;
  deciding.detail = "it is narrowed, and no entry of its authorization_details fits";
  deciding.credentials = deciding.credentials.map((one) =>
    one.hash === facts.credentialHash ? { ...one, outcome: "refused" } : one,
  );
  return "outside-key";
}

/**
 * Each member that is there names the request: GET does not stand for HEAD. A route that leads to no service (a
 * redirect, the admin API) is none that an entry means by what it leaves out: it has to be named.
 */
function fits({ route, request, operation }: Deciding, detail: AccessDetail): boolean {
  const { services, routes, methods, operations } = detail;
  if (route === undefined || request === undefined) return false;
  if (route.service === undefined && routes === undefined) return false;
  return (
    (services === undefined || (route.service !== undefined && services.includes(route.service))) &&
    (routes === undefined || routes.includes(route.name)) &&
    (methods === undefined || methods.includes(request.method)) &&
    (operations === undefined || (operation !== undefined && operations.includes(operation.action)))
  );
}

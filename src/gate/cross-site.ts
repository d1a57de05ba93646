/**
 * What a browser does for a page of another site, it does with the user's cookies (design section 5,
 * rule 10). A request that changes something, or opens a WebSocket, on a session cookie has to come from
 * a page of the same origin, and has to say so.
 *
 * The origin is the listener's public one; where the route names its hosts, that of the host that was asked
 * and no other. What Host says counts by itself only where the listener has no public origin: a browser sends a
 * cookie of ours to no other host than the one that set it, and no page can choose what Host says.
 */
import type { CanonicalRequest } from "../model/http.ts";
import { READ_METHODS } from "../model/vocabulary.ts";
import { getAllFields } from "../wire/fields.ts";
import type { Deciding } from "./decision.ts";
import type { StepResult } from "./step.ts";

export function crossSite(deciding: Deciding): StepResult {
  const { request, route, snapshot, input } = deciding;
  if (request === undefined) throw new TypeError("crossSite comes after canonical");
  const { fields, upgrade } = request.head;
  if (SAFE.has(request.method) && upgrade === undefined) return undefined;
  const sites = getAllFields(fields, "sec-fetch-site");
  const origins = getAllFields(fields, "origin");
  const known = snapshot.origins?.get(input.listener);
  const asked = known === undefined || route?.namesHost === true;
  // Both where both are sent: a browser never contradicts itself.
  const same =
    sites.every((site) => site === "same-origin") &&
    origins.every((origin) => origin === (asked ? originOf(request, known) : known)) &&
    sites.length <= 1 &&
    origins.length <= 1 &&
    sites.length + origins.length > 0;
  if (same) return undefined;
  deciding.detail = "on a session cookie, and not from a page of the same origin";
  return "cross-site-request";
}

/** Of the host that was asked; behind a proxy that ends TLS only the public origin knows the scheme. */
function originOf({ scheme, authority }: CanonicalRequest, known: string | undefined): string {
  const spoken = known === undefined ? `${scheme}:` : new URL(known).protocol;
  return `${spoken}//${authority}`;
}

const SAFE: ReadonlySet<string> = new Set(READ_METHODS);

/**
 * What a browser does for a page of another site, it does with the user's cookies (design section 5,
 * rule 10). A request that changes something, or opens a WebSocket, on a session cookie has to come from
 * a page of the same origin, and has to say so.
 */
import { READ_METHODS } from "../model/vocabulary.ts";
import { getAllFields } from "../wire/fields.ts";
import type { Deciding } from "./decision.ts";
import type { StepResult } from "./step.ts";

export function crossSite(deciding: Deciding): StepResult {
  const { request, snapshot, input } = deciding;
  if (request === undefined) throw new TypeError("crossSite comes after canonical");
  const { fields, upgrade } = request.head;
  if (SAFE.has(request.method) && upgrade === undefined) return undefined;
  const sites = getAllFields(fields, "sec-fetch-site");
  const origins = getAllFields(fields, "origin");
  const own = snapshot.origins?.get(input.listener) ?? `${request.scheme}://${request.authority}`;
  // Both where both are sent: a browser never contradicts itself.
  const same =
    sites.every((site) => site === "same-origin") &&
    origins.every((origin) => origin === own) &&
    sites.length <= 1 &&
    origins.length <= 1 &&
    sites.length + origins.length > 0;
  if (same) return undefined;
  deciding.detail = "on a session cookie, and not from a page of the same origin";
  return "cross-site-request";
}

const SAFE: ReadonlySet<string> = new Set(READ_METHODS);

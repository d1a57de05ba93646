/** Step: finds the route of the canonical request, and whether it may be what the request asks for. */
import { METHODS } from "../model/vocabulary.ts";
import { getAllFields } from "../wire/fields.ts";
import type { Deciding } from "./decision.ts";
import type { RouteMatch } from "./router.ts";
import type { GateRoute } from "./snapshot.ts";
import type { StepResult } from "./step.ts";
import { upgrade } from "./upgrade.ts";

export function route(deciding: Deciding): StepResult {
  const request = deciding.request;
  if (request === undefined) throw new TypeError("route comes after canonical");
  const match = deciding.snapshot.router.find(request.host, request.path);
  if (match === undefined) return "no-route";
  deciding.allow = match.allow;
  if (request.method === "OPTIONS" && preflight(deciding, match)) return "answered-by-proxy";
  const found = KNOWN_METHODS.has(request.method) ? match.method(request.method) : undefined;
  if (found === undefined) return "method-not-allowed";
  deciding.route = found;
  if (!found.pathParameters && request.path.includes(";")) {
    deciding.detail = "';' in the path, which this route does not allow";
    return "ambiguous-path";
  }
  if (found.params.length > 0) deciding.params = paramsOf(found.params, request.path);
  return request.head.upgrade === undefined ? undefined : upgrade(deciding, found, request.head);
}

/**
 * Whether a browser asks on behalf of a page what it may send (Fetch standard, CORS-preflight). It
 * asks without a credential, so it is answered before identity; the method that it asks about says
 * which route is meant.
 */
function preflight(deciding: Deciding, match: RouteMatch<GateRoute>): boolean {
  const { fields } = deciding.input.head;
  const [asked, ...more] = getAllFields(fields, "access-control-request-method");
  if (asked === undefined || more.length > 0) return false;
  if (getAllFields(fields, "origin").length !== 1) return false;
  const meant = match.method(asked);
  if (meant?.cors !== true) return false;
  deciding.route = meant;
  return true;
}

/** Decoded values of a route's `{name}` segments. Canonical paths hold valid UTF-8 and no encoded slash, so each segment decodes. */
export function paramsOf(
  params: readonly { readonly name: string; readonly index: number }[],
  path: string,
): Readonly<Record<string, string>> {
  const segments = path.slice(1).split("/");
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { name, index } of params) values[name] = decodeURIComponent(segments[index] ?? "");
  return values;
}

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

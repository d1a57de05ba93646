/**
 * Two routes that could both win are an error at load, never a surprise at run time; and a redirect
 * takes no option that only a request on its way to a service could follow.
 */
import { findConflicts } from "../gate/router.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { valueAt } from "../wire/document/written.ts";

const LIMITS = {
  /** Overlaps that are listed: a thousand copies of one route make half a million pairs. */
  conflicts: 100,
} as const;

/** Options with defaults, so that their schema cannot tell whether they were written. */
const FORWARDING_KEYS = ["timeout", "responseTimeout", "idleTimeout", "limits"] as const;

export function checkRoutes(draft: Draft): PathProblem[] {
  return [...checkOverlaps(draft), ...checkRedirects(draft), ...checkValidation(draft)];
}

/** What is asked to be held against a description has to have one. */
function checkValidation({ routes, services }: Draft): PathProblem[] {
  return routes.flatMap(({ path, options: { openapiValidation, service: name } }) => {
    const service = services.find((one) => one.name === name);
    const asked = openapiValidation !== undefined && openapiValidation !== "none";
    if (!asked || (name !== undefined && service === undefined)) return [];
    if (service?.options.openapi !== undefined) return [];
    const message = "there is no description to hold requests against";
    const remedy = "a service with openapi";
    return [{ path: [...path, "openapiValidation"], message, remedy }];
  });
}

/**
 * Nobody writes an empty list and means it. Over the feed it comes where a proxy is to serve nothing
 * any more, and must then be taken: otherwise the proxy would go on serving what was taken from it.
 */
export function checkSomeRoute(value: unknown): PathProblem[] {
  const routes = valueAt(value, ["routes"]);
  if (!Array.isArray(routes) || routes.length > 0) return [];
  const message = '"routes" cannot be an empty list';
  return [{ path: ["routes"], message, remedy: "at least one route" }];
}

function checkRedirects({ routeKeys }: Draft): PathProblem[] {
  return routeKeys.flatMap((keys, index) => {
    if (!keys.has("redirect") || keys.has("service")) return [];
    return FORWARDING_KEYS.filter((key) => keys.has(key)).map((key) => ({
      path: ["routes", index, key],
      message: `"${key}" is of no use in a route that redirects`,
      remedy: `no ${key} with redirect: nothing is forwarded`,
    }));
  });
}

function checkOverlaps(draft: Draft): PathProblem[] {
  const patterns = draft.routes.map(({ options }) => ({
    name: options.name,
    host: options.host,
    path: options.path,
    methods: options.methods,
  }));
  return findConflicts(patterns)
    .slice(0, LIMITS.conflicts)
    .flatMap(({ first, second }) => {
      const [one, other] = [draft.routes[first], draft.routes[second]];
      if (one === undefined || other === undefined) return [];
      const message = `the routes "${one.name}" and "${other.name}" overlap: both take ${other.options.path}`;
      const remedy = "another path or host, or methods that they do not share";
      return [{ path: [...other.path, "path"], message, remedy }];
    });
}

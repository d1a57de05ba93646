/**
 * Step: finds the operation that the request is for its service, by method and the path as the service will
 * see it. What the service's description does not name is refused. Nothing where it has none.
 */
import type { Deciding } from "./decision.ts";
import type { StepResult } from "./step.ts";

export function operation(deciding: Deciding): StepResult {
  const described = deciding.route?.described;
  if (described === undefined) return undefined;
  const { request } = deciding;
  if (request === undefined) throw new TypeError("operation comes after route");
  const { rewrite, router } = described;
  const path = rewrite === undefined ? request.path : rewrite(request.path);
  if (path === undefined) {
    deciding.detail = "the path that the route's rewrite makes can be read in two ways";
    return "ambiguous-path";
  }
  const match = router.find(path);
  if (match === undefined) return "unknown-operation";
  deciding.allow = match.allow;
  const found = match.method(request.method);
  if (found === undefined) return "method-not-allowed";
  deciding.operation = found;
  deciding.servicePath = path;
  return undefined;
}

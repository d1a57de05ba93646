/**
 * The route's declared rewrite. Its result is canonicalised again, so that what the service gets is
 * as unambiguous as what the policy saw.
 */
import { canonicalPath } from "../wire/path.ts";
import type { ForwardPlan } from "./plan.ts";

/** The path for the service, or undefined where the rewrite would make an ambiguous one. */
export function rewritePath(path: string, plan: ForwardPlan): string | undefined {
  if (plan.rewrite === undefined) return path;
  const { segments, prefix } = plan.rewrite;
  let at = 0;
  for (let count = 0; count <= segments; count++) {
    at = path.indexOf("/", at) + 1;
    if (at === 0) return undefined;
  }
  const rest = path.slice(at);
  const result = canonicalPath(prefix.endsWith("/") ? prefix + rest : `${prefix}/${rest}`, {
    pathParameters: plan.pathParameters ? "allow" : "refuse",
  });
  return "path" in result ? result.path : undefined;
}

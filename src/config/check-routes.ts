/** Two routes that could both win are an error at load, never a surprise at run time. */
import { findConflicts } from "../gate/router.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "./issues.ts";

const LIMITS = {
  /** Overlaps that are listed: a thousand copies of one route make half a million pairs. */
  conflicts: 100,
} as const;

export function checkRoutes(draft: Draft): PathProblem[] {
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

/**
 * Our own paths on listeners: no route may lie under them, which would otherwise be shadowed without a
 * word.
 */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "./issues.ts";

/** What listeners with `serve` answer themselves, now or in a version to come. */
const OWN_PATHS = [
  "/.well-known/sallyport",
  "/.well-known/oauth-protected-resource",
  "/.sallyport",
] as const;

export function checkServe(draft: Draft): PathProblem[] {
  if (draft.listeners.every(({ options }) => options.serve.length === 0)) return [];
  return shadowed(draft);
}

function shadowed({ routes }: Draft): PathProblem[] {
  return routes.flatMap(({ path, options }) => {
    const own = OWN_PATHS.find(
      (prefix) => options.path === prefix || options.path.startsWith(`${prefix}/`),
    );
    if (own === undefined) return [];
    return [
      {
        path: [...path, "path"],
        message: `${own}/ is what listeners with "serve" answer themselves`,
        remedy: "another path, or no serve on any listener",
      },
    ];
  });
}

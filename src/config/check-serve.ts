/**
 * Our own paths on listeners: they need an authority to show something of, and no route may lie under
 * them, which would otherwise be shadowed without a word.
 */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "./issues.ts";

/** What listeners with `serve` answer themselves, now or in a version to come. */
const OWN_PATHS = ["/.well-known/sallyport", "/.sallyport"] as const;

export function checkServe(draft: Draft): PathProblem[] {
  const serving = draft.listeners.filter(({ options }) => options.serve.length > 0);
  if (serving.length === 0) return [];
  return [...withoutAuthority(draft, serving), ...shadowed(draft)];
}

/** Asked only of a whole that is valid: an authority that is written wrongly is told of as such. */
function withoutAuthority({ config }: Draft, serving: Draft["listeners"]): PathProblem[] {
  if (config === undefined || config.authority !== undefined) return [];
  return serving.map(({ path }) => ({
    path: [...path, "serve"],
    message: "there is nothing to serve without an authority",
    remedy: "an authority, whose public keys are shown; or no serve",
  }));
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

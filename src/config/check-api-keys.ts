/** API keys are the authority's: without one there is nobody who makes any, and none is ever good. */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

/** Asked only of a whole that is valid: an authority that is written wrongly is told of as such. */
export function checkApiKeys({ config, authenticators }: Draft): PathProblem[] {
  if (config === undefined || config.authority !== undefined) return [];
  return authenticators.flatMap(({ path, name, options }) => {
    if (options.type !== "api-key") return [];
    return [
      {
        path: [...path, "type"],
        message: `the API keys of "${name}" need an authority, which makes and keeps them`,
        remedy: "authority with a store, or with the feed of one; or another type",
      },
    ];
  });
}

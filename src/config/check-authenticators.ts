/** Who may take a token on a route has to be certain, and so has what a token must be meant for. */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "./issues.ts";

export function checkAuthenticators(draft: Draft): PathProblem[] {
  const byName = new Map(draft.authenticators.map((part) => [part.name, part.options]));
  return draft.routes.flatMap(({ name, path, options }) => {
    const problems: PathProblem[] = [];
    const issuers = new Map<string, string>();
    for (const [index, authenticator] of options.authenticate.entries()) {
      const known = byName.get(authenticator);
      if (known === undefined) continue;
      const at = [...path, "authenticate", index];
      const other = issuers.get(known.issuer);
      issuers.set(known.issuer, authenticator);
      // A token is taken by exact issuer: with two, the order would decide what its claims mean.
      if (other !== undefined) {
        const message = `"${other}" and "${authenticator}" take tokens of one issuer`;
        problems.push({ path: at, message, remedy: "one of them on this route" });
      }
      // Without an audience, a token that was meant for any other service would open this route.
      if (options.audience === undefined && known.audience === undefined) {
        const message = `neither the route "${name}" nor "${authenticator}" names an audience`;
        problems.push({ path: at, message, remedy: "audience, on the route or the authenticator" });
      }
    }
    return problems;
  });
}

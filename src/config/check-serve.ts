/**
 * Our own paths on listeners: a login needs somebody to log in at, people need a place to log in, and no route
 * may lie under our paths, which would otherwise be shadowed without a word.
 */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

/** What listeners with `serve` answer themselves, now or in a version to come. */
const OWN_PATHS = [
  "/.well-known/sallyport",
  "/.well-known/oauth-protected-resource",
  "/.well-known/oauth-authorization-server",
  "/.sallyport",
] as const;

export function checkServe(draft: Draft): PathProblem[] {
  const serving = draft.listeners.filter(({ options }) => options.serve.length > 0);
  const nowhere = withoutLogin(draft);
  if (serving.length === 0) return nowhere;
  return [...nowhere, ...withoutProvider(draft, serving), ...shadowed(draft)];
}

/** Nobody can begin a session, and a browser that needs one would be told so in a document. */
function withoutLogin({ listeners, authenticators, whole }: Draft): PathProblem[] {
  if (listeners.length === 0 || !whole.listeners) return [];
  if (listeners.some(({ options }) => options.serve.includes("login"))) return [];
  return authenticators
    .filter(({ options }) => options.type === "oidc")
    .map(({ name, path }) => ({
      path,
      message: `nobody can log in at "${name}": no listener serves logins`,
      remedy: "serve: [login] on the listener that people come to",
    }));
}

function withoutProvider(
  { authenticators, whole }: Draft,
  serving: Draft["listeners"],
): PathProblem[] {
  if (!whole.authenticators) return [];
  if (authenticators.some(({ options }) => options.type === "oidc")) return [];
  const logins = serving.filter(({ options }) => options.serve.includes("login"));
  return logins.map(({ path }) => ({
    path: [...path, "serve"],
    message: "there is nobody to log in at",
    remedy: "an authenticator of type oidc; or no login in serve",
  }));
}

/** Without an origin OAuth clients are told nothing, and without a signer there are no keys to show. */
export function checkServeWarnings({ listeners, config }: Draft): PathProblem[] {
  if (config === undefined) return [];
  if (config.authority !== undefined || config.assertions !== undefined) return [];
  return listeners.flatMap(({ path, options: { serve, publicOrigin } }) => {
    if (!serve.includes("well-known") || publicOrigin !== undefined) return [];
    return [
      {
        path: [...path, "serve"],
        message:
          "well-known has nothing to show here: the listener has no publicOrigin, and nobody signs",
        remedy:
          "publicOrigin, for what OAuth clients are told of routes; or no well-known in serve",
      },
    ];
  });
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

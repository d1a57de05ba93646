/** Browser sessions: keys that every process has to have, and cookies that browsers would not take. */
import { isFollower, isKeeper } from "../authority/authority-options.ts";
import type { OidcOptions } from "../identity/oidc-options.ts";
import type { Draft, Part } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

export function checkSessions(draft: Draft): PathProblem[] {
  const parts = draft.authenticators.filter(isOidc);
  if (parts.length === 0) return [];
  return [...withoutKeys(draft, parts), ...overPlainHttp(draft, parts)];
}

function isOidc(part: Draft["authenticators"][number]): part is Part<OidcOptions> {
  return part.options.type === "oidc";
}

/** A key that each process makes for itself is of use to one process alone. */
function withoutKeys(draft: Draft, parts: readonly Part<OidcOptions>[]): PathProblem[] {
  const { authority, config } = draft;
  const why =
    config !== undefined && config.workers !== 1
      ? "several workers"
      : isFollower(authority) || (isKeeper(authority) && authority.serve !== undefined)
        ? "several proxies"
        : undefined;
  if (why === undefined) return [];
  return parts.flatMap(({ name, path, options }) =>
    options.session.keys.length > 0
      ? []
      : [
          {
            path: [...path, "session", "keys"],
            message: `"${name}" has no session keys, and ${why} cannot share a random one`,
            remedy: "keys: [{ file: secrets/session.key }], made with: openssl rand -base64 32",
          },
        ],
  );
}

/** Browsers keep `__Host-` cookies only of https. */
function overPlainHttp(draft: Draft, parts: readonly Part<OidcOptions>[]): PathProblem[] {
  const secure = draft.listeners.some(({ options: { tls, publicOrigin } }) =>
    publicOrigin === undefined ? tls !== undefined : publicOrigin.startsWith("https:"),
  );
  if (secure || draft.listeners.length === 0 || !draft.whole.listeners) return [];
  return parts.flatMap(({ name, path, options }) =>
    options.session.cookie.insecurePlaintext
      ? []
      : [
          {
            path,
            message: `no listener is reached over https, so browsers would not keep the session of "${name}"`,
            remedy:
              "tls or a publicOrigin of https: on a listener; for development session.cookie.insecurePlaintext: true",
          },
        ],
  );
}

/** Another proxy hears of a logout here only by what both can reach. */
export function checkSessionsWarnings(draft: Draft): PathProblem[] {
  const { authority, config } = draft;
  if (!isFollower(authority) || config === undefined || config.shared !== undefined) return [];
  return draft.authenticators.filter(isOidc).map(({ name, path, options }) => ({
    path,
    message:
      options.session.store === "memory"
        ? `sessions of "${name}" are known to this proxy alone, and to no other one that follows`
        : `a logout of "${name}" is heard of by this proxy alone, and by no other one that follows`,
    remedy: "shared.redis, which they have in common",
  }));
}

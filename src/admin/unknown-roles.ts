/**
 * A role that no policy and no data file knows gives nobody anything, and is easily a misspelt one. It may
 * be for a policy that is still to come, so whoever gives it is told, and not refused.
 */
import { suggest } from "../model/suggest.ts";
import type { RunningConfig } from "./admin-deps.ts";

export interface GivenRoles {
  readonly authenticator: string;
  /** Roles that it may give without its name before them. */
  readonly allow: readonly string[];
  readonly roles: readonly string[];
}

/** A sentence for each of them. */
export function unknownRoles(
  { authenticator, allow, roles }: GivenRoles,
  { policyRoles }: Pick<RunningConfig, "policyRoles">,
): readonly string[] {
  if (roles.length === 0 || policyRoles === undefined) return [];
  const known = policyRoles();
  const scope = `${authenticator}/`;
  const own = known.named.flatMap((id) =>
    id.startsWith(scope) ? [id.slice(scope.length)] : allow.includes(id) ? [id] : [],
  );
  return roles.flatMap((role) => {
    const bare = allow.includes(role);
    const id = bare ? role : scope + role;
    if (known.has(id)) return [];
    const near = suggest(role, new Set([...own, ...allow]));
    const guess = near === undefined ? "" : `; did you mean ${near}?`;
    // The one mistake that is no misspelling.
    const scoped =
      !bare && known.has(role)
        ? `; policies name Role::${JSON.stringify(role)}, for which it has to be in principal.roles.allow of ${authenticator}`
        : guess;
    return [`no policy and no data file knows Role::${JSON.stringify(id)}${scoped}`];
  });
}

/** Who may take a token on a route has to be certain, and so has what a token must be meant for. */
import {
  type AuthenticatorOptions,
  audienceOf,
  certificatesOf,
  tokensOf,
} from "../identity/authenticator-options.ts";
import { sameTokens } from "../identity/bearer.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

export function checkAuthenticators(draft: Draft): PathProblem[] {
  return draft.routes.flatMap(({ name, path, options }) =>
    checkAccepted(draft, {
      names: options.authenticate,
      path: [...path, "authenticate"],
      audience: options.audience,
      owner: {
        text: `the route "${name}"`,
        remedy: "audience, on the route or the authenticator",
        one: "one of them on this route",
      },
    }),
  );
}

/** Authenticators that are named in one list, and what stands beside it. */
export interface Accepted {
  readonly names: readonly string[];
  readonly path: Path;
  readonly audience: readonly string[] | undefined;
  readonly owner: { readonly text: string; readonly remedy: string; readonly one: string };
}

export function checkAccepted(
  { authenticators }: Draft,
  { names, path, audience, owner }: Accepted,
): PathProblem[] {
  const byName = new Map(authenticators.map((part) => [part.name, part.options]));
  const problems: PathProblem[] = [];
  const earlier: { readonly name: string; readonly options: AuthenticatorOptions }[] = [];
  for (const [index, name] of names.entries()) {
    const options = byName.get(name);
    if (options === undefined) continue;
    const at = [...path, index];
    const other = earlier.find((one) => areSame(one.options, options));
    earlier.push({ name, options });
    // With two, the order would decide what a token's claims mean.
    if (other !== undefined) {
      const message = `"${other.name}" and "${name}" ${sameText(options)}`;
      problems.push({ path: at, message, remedy: owner.one });
    }
    // Without an audience, a token that was meant for any other service would open this route.
    if (audience === undefined && audienceOf(options) === undefined) {
      const message = `neither ${owner.text} nor "${name}" names an audience`;
      problems.push({ path: at, message, remedy: owner.remedy });
    }
  }
  return problems;
}

function areSame(a: AuthenticatorOptions, b: AuthenticatorOptions): boolean {
  const domain = certificatesOf(a)?.trustDomain;
  if (domain !== undefined && domain === certificatesOf(b)?.trustDomain) return true;
  const [one, other] = [tokensOf(a), tokensOf(b)];
  return one !== undefined && other !== undefined && sameTokens(one, other);
}

function sameText(options: AuthenticatorOptions): string {
  const domain = certificatesOf(options)?.trustDomain;
  if (domain !== undefined) return `are both for the trust domain ${domain}`;
  return tokensOf(options)?.by === "issuer"
    ? "take tokens of one issuer"
    : "could take the same tokens";
}

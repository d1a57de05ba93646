/** What services are told of callers: somebody has to sign it, under a name of its own, of what is known. */
import { isFollower, isKeeper } from "../authority/authority-options.ts";
import type { AssertionOptions } from "../gate/identity-options.ts";
import { authenticatorWords, tokensOf } from "../identity/authenticator-options.ts";
import { ASSERTION_ISSUER_PATH } from "../model/assertion.ts";
import { suggest } from "../model/suggest.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

export function checkAssertions(draft: Draft): PathProblem[] {
  const used = usesOf(draft);
  return [...signers(draft, used), ...issuers(draft), ...attributes(draft, used)];
}

interface Use {
  readonly path: Path;
  readonly options: AssertionOptions;
}

function usesOf({ services, routes }: Draft): readonly Use[] {
  return [...services, ...routes].flatMap(({ path, options: { assertion } }) =>
    typeof assertion === "object" ? [{ path: [...path, "assertion"], options: assertion }] : [],
  );
}

/** Asked only of a whole that is valid: an authority that is written wrongly is told of as such. */
function signers({ config }: Draft, used: readonly Use[]): PathProblem[] {
  if (config === undefined) return [];
  const { authority, assertions } = config;
  if (authority !== undefined && assertions !== undefined) {
    const message = "assertions are the authority's where there is one";
    const remedy = `no assertions; they are issued as <authority.issuer>${ASSERTION_ISSUER_PATH}`;
    return [{ path: ["assertions"], message, remedy }];
  }
  if (authority !== undefined || assertions !== undefined) return [];
  return used.map(({ path }) => ({
    path,
    message: "nobody signs assertions in this process",
    remedy: "assertions: { issuer: https://… } at the top, or an authority",
  }));
}

/** An assertion is no credential: no authenticator may take its issuer for one of its own. */
function issuers({ config, authenticators }: Draft): PathProblem[] {
  if (config === undefined || isFollower(config.authority)) return [];
  const { authority, assertions } = config;
  const own = isKeeper(authority)
    ? `${authority.issuer}${ASSERTION_ISSUER_PATH}`
    : assertions?.issuer;
  if (own === undefined) return [];
  return authenticators.flatMap(({ name, path, options }) => {
    const takes = tokensOf(options);
    if (takes === undefined || !("issuer" in takes) || takes.issuer !== own) return [];
    const message = `the authenticator "${name}" has the issuer of our own assertions, which are no credentials`;
    return [{ path: [...path, "issuer"], message, remedy: "another issuer" }];
  });
}

function attributes({ authenticators, whole }: Draft, used: readonly Use[]): PathProblem[] {
  if (!whole.authenticators) return [];
  const known = new Set(
    authenticators.flatMap(({ options }) => Object.keys(authenticatorWords(options).attributes)),
  );
  return used.flatMap(({ path, options }) =>
    options.attributes.flatMap((name, index) => {
      if (known.has(name)) return [];
      const close = suggest(name, known);
      return [
        {
          path: [...path, "attributes", index],
          message: `no authenticator declares an attribute "${name}"`,
          remedy: close === undefined ? "declare it first" : `did you mean "${close}"?`,
        },
      ];
    }),
  );
}

/**
 * The authenticator of type `sallyport`: one of them, for the keys of our own authority and of nobody
 * else. Without an authority nobody issues any, and what another issuer's keys verify is another's word.
 */
import { isKeeper } from "../authority/authority-options.ts";
import { tokensOf } from "../identity/authenticator-options.ts";
import type { SallyportOptions } from "../identity/sallyport-options.ts";
import type { Draft, Part } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

export function checkKeys(draft: Draft): PathProblem[] {
  const own = draft.authenticators.filter(isSallyport);
  const [first, ...others] = own;
  if (first === undefined) return [];
  return [
    ...others.map(({ path, name }) => ({
      path: [...path, "type"],
      message: `"${first.name}" and "${name}" are both for the keys of our own authority`,
      remedy: "one of them, on every route that takes its keys",
    })),
    ...own.flatMap((part) => issuerProblems(draft, part)),
    ...adminProblems(draft, own),
  ];
}

/** A key is for services, and the admin API is none: whoever came with one would be refused. */
function adminProblems({ admin }: Draft, own: readonly Part<SallyportOptions>[]): PathProblem[] {
  return (admin?.authenticate ?? []).flatMap((name, index) =>
    own.some((part) => part.name === name)
      ? [
          {
            path: ["admin", "authenticate", index],
            message: `the keys of "${name}" are for services, and the admin API is none`,
            remedy: "an authenticator that knows operators themselves",
          },
        ]
      : [],
  );
}

function isSallyport(part: Draft["authenticators"][number]): part is Part<SallyportOptions> {
  return part.options.type === "sallyport";
}

function issuerProblems(
  { authority, authenticators, config }: Draft,
  { name, path, options: { issuer } }: Part<SallyportOptions>,
): PathProblem[] {
  if (authority === undefined) {
    // One that is written and not valid has problems of its own.
    if (config === undefined) return [];
    return [
      {
        path: [...path, "type"],
        message: `the keys of "${name}" need an authority, which issues them and says by what they are verified`,
        remedy: "authority with a store, or with the feed of one; or another type",
      },
    ];
  }
  if (isKeeper(authority) && issuer !== authority.issuer) {
    return [
      {
        path: [...path, "issuer"],
        message: `"${name}" takes the keys of another issuer than the authority that is kept here`,
        remedy: `no issuer, or ${authority.issuer}`,
      },
    ];
  }
  if (issuer === undefined) {
    const message = `the issuer of the keys of "${name}" is not known`;
    return [{ path, message, remedy: "issuer, as the authority has it" }];
  }
  // Its keys would be looked up elsewhere, on routes that name the other.
  const other = authenticators.find(({ options }) => {
    if (options.type === "sallyport") return false;
    const takes = tokensOf(options);
    return takes !== undefined && "issuer" in takes && takes.issuer === issuer;
  });
  if (other === undefined) return [];
  return [
    {
      path: [...other.path, "issuer"],
      message: `"${other.name}" has the issuer of our own keys, which only "${name}" verifies`,
      remedy: "another issuer, or no such authenticator",
    },
  ];
}

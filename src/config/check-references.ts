/** Names that refer to something have to refer to what is there. */
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import type { Draft, WrittenName } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { suggest } from "../model/suggest.ts";

export function checkReferences({ names }: Draft): PathProblem[] {
  const credentials = names.usedAuthenticators.filter(({ name }) => name !== ANONYMOUS_NAME);
  return [
    ...unknown("service", names.usedServices, names.services),
    ...unknown("authenticator", credentials, new Set([...names.authenticators, ANONYMOUS_NAME])),
  ];
}

function unknown(
  what: string,
  used: readonly WrittenName[],
  known: ReadonlySet<string>,
): PathProblem[] {
  return used.flatMap(({ name, path }) => {
    if (known.has(name)) return [];
    const close = suggest(name, known);
    const others = known.size === 0 ? `declare it first` : `one of ${[...known].join(", ")}`;
    const remedy = close === undefined ? others : `did you mean "${close}"?`;
    return [{ path, message: `there is no ${what} "${name}"`, remedy }];
  });
}

/**
 * Under which name a field goes on, by a route's header rules. Names compare in every spelling: a
 * service may make one variable of `x-team` and `x_team`, so what is set or removed has to be gone
 * in both.
 */
import type { Fields } from "../model/http.ts";
import { spokenName, stripIdentityFields } from "../wire/identity-fields.ts";
import type { HeaderRules } from "./plan.ts";

const LIMITS = {
  /** Distinct names remembered per route; beyond it each is judged afresh. Callers choose names, so it is bounded. */
  remembered: 512,
} as const;

/** Drops the field. */
export const DROPPED = "";

/**
 * Makes the function from a field's lower-case name to the one that it goes on under, or `DROPPED`.
 * `passes` judges names before the rules do.
 */
export function createFieldNames(
  rules: HeaderRules,
  passes: (name: string) => boolean,
): (name: string) => string {
  const remembered = new Map<string, string>();
  const renames = new Map(rules.rename.map(({ from, to }) => [from, to]));
  const added = new Set([...namesOf(rules.add), ...rules.varying.add.map(({ name }) => name)]);
  const addedInAnySpelling = new Set([...added].map(spokenName));
  const gone = goneNames(rules);

  function judge(name: string): string {
    if (!passes(name)) return DROPPED;
    const renamed = renames.get(name);
    if (renamed !== undefined) return renamed;
    const spoken = spokenName(name);
    if (gone.has(spoken)) return DROPPED;
    return addedInAnySpelling.has(spoken) && !added.has(name) ? DROPPED : name;
  }

  return (name) => {
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const verdict = judge(name);
    if (remembered.size < LIMITS.remembered) remembered.set(name, verdict);
    return verdict;
  };
}

/**
 * Which trailers go on: none of a name that the rules speak of. What a route removes from the head
 * must not come in behind the body. Undefined where there are no rules.
 */
export function createTrailers(rules: HeaderRules): ((trailers: Fields) => Fields) | undefined {
  const spoken = goneNames(rules);
  for (const name of [...namesOf(rules.add), ...rules.varying.add.map((one) => one.name)]) {
    spoken.add(spokenName(name));
  }
  if (spoken.size === 0) return undefined;
  return (trailers) => {
    const kept: string[] = [];
    const ours = stripIdentityFields(trailers);
    for (let index = 0; index < ours.length; index += 2) {
      const name = ours[index] ?? "";
      if (!spoken.has(spokenName(name))) kept.push(name, ours[index + 1] ?? "");
    }
    return kept;
  };
}

/** In the one spelling that stands for all. */
function goneNames(rules: HeaderRules): Set<string> {
  const names = [
    ...rules.remove,
    ...namesOf(rules.set),
    ...rules.varying.set.map(({ name }) => name),
    ...rules.rename.flatMap(({ from, to }) => [from, to]),
  ];
  return new Set(names.map(spokenName));
}

function namesOf(fields: Fields): string[] {
  return fields.filter((_text, index) => index % 2 === 0);
}

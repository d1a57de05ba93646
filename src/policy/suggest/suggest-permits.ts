/**
 * The narrowest permits that cover recorded traffic, as text for a person to review: one for each subject,
 * action and route. A subject is a role where several principals had it in all that they did there and none
 * who has it was refused there; else it is the principal itself. Paths and scopes are asked for as far as
 * all of the traffic had them; an identifier in a path stands for any only where no such path was refused
 * there. What policies had asked beside that (times, addresses, headers) is not
 * known from what came of it, and a `forbid` goes on to count.
 */
import { principalId, type Principal } from "../../model/principal.ts";
import { PRINCIPAL_TYPES } from "../cedar-names.ts";
import { isGeneral, literalPattern, pathCondition, patternOf, quoted } from "./path-patterns.ts";
import type { Denied, Use } from "./traffic.ts";

/** A permit, and the traffic that it is made of. */
export interface SuggestedPermit {
  readonly id: string;
  /** Cedar, with its comments. */
  readonly text: string;
  readonly uses: readonly Use[];
}

export function suggestPermits(
  uses: readonly Use[],
  denied: readonly Denied[],
): readonly SuggestedPermit[] {
  const refused = new Set(
    denied.flatMap(({ principal, ...place }) => rolesAt(principal.roles, place)),
  );
  const kept = new Set(
    denied.map(({ example, ...place }) => patternAt(patternOf(example.path ?? ""), place)),
  );
  const used = new Map<string, number>();
  return [...byPlace(uses).values()].flatMap((here) =>
    subjectsOf(here, refused).map(({ scope, uses: covered }) => {
      const id = uniqueId(covered, used);
      return { id, text: permitText(id, { scope, uses: covered }, kept), uses: covered };
    }),
  );
}

interface Place {
  readonly action: string;
  readonly route: string;
}

function rolesAt(roles: readonly string[], { action, route }: Place): string[] {
  return roles.map((role) => `${action} ${route} ${role}`);
}

function patternAt(pattern: string, { action, route }: Place): string {
  return `${action} ${route} ${pattern}`;
}

/** In the order of routes, then actions, then kinds of principals. */
function byPlace(uses: readonly Use[]): ReadonlyMap<string, readonly Use[]> {
  const places = new Map<string, Use[]>();
  for (const use of uses.toSorted((one, other) => compare(keyOf(one), keyOf(other)))) {
    const key = keyOf(use);
    places.set(key, [...(places.get(key) ?? []), use]);
  }
  return places;
}

function keyOf({ route, action, principal }: Use): string {
  return `${route} ${action} ${principal.kind}`;
}

interface Subject {
  /** Cedar text of the principal's scope. */
  readonly scope: string;
  readonly uses: readonly Use[];
}

/** All of one place and kind. Roles that most have come first. */
function subjectsOf(here: readonly Use[], refused: ReadonlySet<string>): readonly Subject[] {
  const subjects: Subject[] = [];
  let left = here;
  for (;;) {
    const role = commonRole(left, refused);
    if (role === undefined) break;
    const covered = left.filter(({ roles }) => roles.includes(role));
    const kind = PRINCIPAL_TYPES[covered[0]?.principal.kind ?? "user"];
    const scope = `principal is Sallyport::${kind} in Sallyport::Role::${quoted(role)}`;
    subjects.push({ scope, uses: covered });
    left = left.filter((use) => !covered.includes(use));
  }
  return [...subjects, ...left.map((use) => ({ scope: scopeOf(use.principal), uses: [use] }))];
}

function commonRole(uses: readonly Use[], refused: ReadonlySet<string>): string | undefined {
  const counts = new Map<string, number>();
  for (const use of uses) {
    for (const role of new Set(use.roles)) {
      const [place = ""] = rolesAt([role], use);
      if (!refused.has(place)) counts.set(role, (counts.get(role) ?? 0) + 1);
    }
  }
  const shared = [...counts].filter(([, count]) => count > 1);
  const [best] = shared.toSorted(
    ([one, many], [other, more]) => more - many || compare(one, other),
  );
  return best?.[0];
}

function scopeOf(principal: Principal): string {
  if (principal.kind === "anonymous") return "principal is Sallyport::Anonymous";
  const type = PRINCIPAL_TYPES[principal.kind];
  return `principal == Sallyport::${type}::${quoted(principalId(principal))}`;
}

/** `kept`: patterns of what was refused; of those, the paths that were permitted stand by themselves. */
function permitText(id: string, { scope, uses }: Subject, kept: ReadonlySet<string>): string {
  const [first] = uses;
  if (first === undefined) throw new TypeError("a permit of no traffic");
  const all = uses.flatMap(({ patterns: own }) =>
    [...own].flatMap(([pattern, paths]) =>
      kept.has(patternAt(pattern, first)) ? [...paths].map(literalPattern) : [pattern],
    ),
  );
  const patterns = [...new Set(all)].toSorted();
  const path = pathCondition(patterns);
  const scopes = uses.reduce(
    (common, use) => common.filter((one) => use.scopes.includes(one)),
    first.scopes,
  );
  const conditions = [
    ...(scopes.length === 0
      ? []
      : [`context.scopes.containsAll([${scopes.map(quoted).join(", ")}])`]),
    ...(path === undefined ? [] : [path]),
  ];
  const when = conditions.length === 0 ? "" : ` when {\n  ${conditions.join(" &&\n  ")}\n}`;
  return `${comments(uses, patterns, path)}@id(${quoted(id)})
permit (
  ${scope},
  action == Sallyport::Action::${quoted(first.action)},
  resource == Sallyport::Route::${quoted(first.route)}
)${when};
`;
}

function comments(
  uses: readonly Use[],
  patterns: readonly string[],
  path: string | undefined,
): string {
  const count = uses.reduce((sum, use) => sum + use.count, 0);
  const times = uses.flatMap(({ first, last }) => [first, last]).toSorted();
  const [from, to] = [times[0] ?? "", times.at(-1) ?? ""].map((time) => time.slice(0, 10));
  const example = uses[0]?.example.decisionId ?? "";
  const general = patterns.filter(isGeneral);
  return [
    `Decisions: ${count}, of principals: ${uses.length}, ${from} to ${to}, e.g. ${example}`,
    ...(general.length > 0 && path !== undefined
      ? [`Generalised: any one segment for each * of ${general.join(" ")}`]
      : []),
    ...(path === undefined
      ? [`Paths: too many to name (${patterns.length}), so any of the route`]
      : []),
  ]
    .map((line) => `// ${line.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")}\n`)
    .join("");
}

/** Of the place, and a number where several have it. */
function uniqueId(uses: readonly Use[], used: Map<string, number>): string {
  const [first] = uses;
  const base = `suggested-${first?.route ?? ""}-${first?.action ?? ""}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-");
  const number = (used.get(base) ?? 0) + 1;
  used.set(base, number);
  return number === 1 ? base : `${base}-${number}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

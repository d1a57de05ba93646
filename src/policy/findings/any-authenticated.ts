/** A route that everybody can use, or a service for which everybody can have keys, who is known at all: authentication stands for authorization there. */
import type { Scope } from "../cedar/compile-policy.ts";
import type { Found } from "./finding.ts";
import type { FindingRule } from "./finding-rule.ts";
import type { PolicyFacts } from "./policy-facts.ts";
import { listed } from "./policy-never-applies.ts";
import type { FindingSubject, Source, Target } from "./subject.ts";

export const anyAuthenticated: FindingRule = {
  id: "any-authenticated",
  severity: "note",
  title: "every caller who is known may use a route, or have keys for a service",
  proves:
    "For each kind of caller that the route's authenticators know (of keys: that any authenticator knows) there is a permit without conditions that asks for no role, group or name, and no forbid without conditions stands against it.",
  silence:
    "That the route is closed. A permit may name a role that everybody has, or have conditions that everybody meets.",
  remedy: "name a role or a group in the permit's principal scope, or accept it with a reason",
  *find(subject) {
    for (const target of [...subject.targets, ...subject.issuing]) {
      if (target.facts === undefined && !target.issuing) continue;
      const opened = openActions(target, subject);
      if (opened.actions.length > 0) yield found(target, opened, subject);
    }
  },
};

interface Opened {
  readonly actions: readonly string[];
  readonly by: readonly PolicyFacts[];
}

function openActions(target: Target, subject: FindingSubject): Opened {
  const known = target.sources.filter(({ authenticator }) => authenticator !== undefined);
  const policies = [...subject.policiesOn(target)].filter(
    ({ conjuncts, principal }) => conjuncts.size === 0 && asksForNobody(principal),
  );
  const by = new Set<PolicyFacts>();
  const actions: string[] = [];
  for (const { id } of known.length === 0 ? [] : target.actions) {
    const here = policies.filter((policy) => subject.actionsOf(policy).has(id));
    const permits = here.filter(({ effect }) => effect === "permit");
    const closed = here.some(({ effect }) => effect === "forbid");
    const open = known.every((source) => takes(permits, source, subject));
    if (closed || !open) continue;
    actions.push(id);
    for (const permit of permits) by.add(permit);
  }
  return { actions, by: [...by] };
}

function takes(permits: readonly PolicyFacts[], source: Source, subject: FindingSubject): boolean {
  return permits.some(({ principal }) => subject.admits(principal, source));
}

function asksForNobody({ kind }: Scope): boolean {
  return kind === "all" || kind === "is";
}

function found(target: Target, { actions, by }: Opened, subject: FindingSubject): Found {
  const { name, service, facts, listed: written, issuing } = target;
  const what =
    actions.length === target.actions.length
      ? written === undefined
        ? "do everything"
        : `use all its methods`
      : `use ${actions.join(", ")}`;
  const forbids = [...subject.policiesOn(target)]
    .filter((policy) => policy.effect === "forbid")
    .filter((policy) => actions.some((id) => subject.actionsOf(policy).has(id)))
    .map(({ id }) => id);
  const unless = forbids.length === 0 ? "" : ` unless ${listed(forbids)} forbids it`;
  const may = issuing ? `have a key for service "${name}"` : `${what} on route "${name}"`;
  const own = subject.written.services.find((one) => one.name === service);
  return {
    of: name,
    place: (issuing ? own?.place : facts?.place) ?? {},
    message:
      `whoever is known may ${may}${unless}: ` +
      `${listed(by.map(({ id }) => id))} ${by.length === 1 ? "asks" : "ask"} for nobody in particular`,
    route: issuing ? undefined : name,
    service,
    policies: by.map(({ id }) => id),
  };
}

/** A route that a caller can use of whom nothing is known. */
import type { Found } from "./finding.ts";
import type { FindingRule } from "./finding-rule.ts";
import type { PolicyFacts } from "./policy-facts.ts";
import { listed } from "./policy-never-applies.ts";
import type { FindingSubject, Source, Target } from "./subject.ts";

export const openToAnonymous: FindingRule = {
  id: "open-to-anonymous",
  severity: "note",
  title: "callers of whom nothing is known may use a route",
  proves:
    "The route takes callers without a credential, and at least one permit takes them into its scope; no forbid without conditions keeps all of them out.",
  silence:
    "That nobody gets in without a credential elsewhere. Only `anonymous` in a route's authenticate lets such a caller come as far as a policy.",
  remedy:
    "take anonymous out of the route, or write principal is User (or Workload) into the permit",
  *find(subject) {
    for (const target of subject.targets) {
      if (target.facts?.anonymous !== true) continue;
      const by = openingPermits(target, subject);
      if (by.length > 0) yield found(target, by);
    }
  },
};

const NOBODY: Source = { authenticator: undefined, kind: "anonymous" };

function openingPermits(target: Target, subject: FindingSubject): readonly PolicyFacts[] {
  const taking = [...subject.policiesOn(target)].filter((policy) =>
    subject.admits(policy.principal, NOBODY),
  );
  const closed = new Set(
    taking
      .filter(({ effect, conjuncts }) => effect === "forbid" && conjuncts.size === 0)
      .flatMap((forbid) => subject.actionsOn(forbid, target)),
  );
  return taking.filter(
    (policy) =>
      policy.effect === "permit" &&
      subject.actionsOn(policy, target).some((action) => !closed.has(action)),
  );
}

function found({ name, service, facts }: Target, by: readonly PolicyFacts[]): Found {
  const conditional = by.every(({ conjuncts }) => conjuncts.size > 0);
  return {
    of: name,
    place: facts?.place ?? {},
    message:
      `anybody may use route "${name}" without a credential` +
      `${conditional ? ", under conditions" : ""}: ` +
      `${listed(by.map(({ id }) => id))} ${by.length === 1 ? "takes" : "take"} anonymous callers too`,
    route: name,
    service,
    policies: by.map(({ id }) => id),
  };
}

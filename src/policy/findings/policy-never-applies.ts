/** A policy that no request can meet: a permit that gives nothing, or a forbid that is a hole. */
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { Found } from "./finding.ts";
import type { FindingRule } from "./finding-rule.ts";
import type { PolicyFacts } from "./policy-facts.ts";
import type { FindingSubject } from "./subject.ts";

export const policyNeverApplies: FindingRule = {
  id: "policy-never-applies",
  severity: "warning",
  title: "a policy can never apply",
  proves:
    "No route, and no service for which keys are issued, has at once a resource, an action and a caller that the policy's scope takes: the route does not take the method, or none of its authenticators can give the role, the group or the name.",
  silence:
    "That some request meets its conditions. Conditions are not solved: two that contradict each other go unnoticed.",
  remedy: "remove it, or mend its scope or the route's authenticate and methods",
  *find(subject) {
    for (const policy of subject.policies) {
      const why = whyNever(policy, subject);
      if (why !== undefined) yield found(policy, why);
    }
  },
};

function whyNever(policy: PolicyFacts, subject: FindingSubject): string | undefined {
  const targets = subject.targetsOf(policy);
  if (subject.issuing.length === 0 && namesOnlyKeys(policy)) return "no key is issued";
  if (targets.length === 0) return "no route is within its resource scope";
  const acted = targets.filter((target) => subject.actionsOn(policy, target).length > 0);
  if (acted.length === 0) {
    return targets.every(({ admin }) => admin) || policy.action.kind === "all"
      ? "its scope has no action that counts there"
      : `${listed(targets.map(({ name }) => name))} takes none of the methods in its scope`;
  }
  const meets = acted.some(({ sources }) =>
    sources.some((source) => subject.admits(policy.principal, source)),
  );
  if (meets) return undefined;
  return `no caller whom ${listed(acted.map(({ name }) => name))} lets in can be within its principal scope`;
}

function namesOnlyKeys({ action }: PolicyFacts): boolean {
  const uids = action.kind === "in" ? action.uids : action.kind === "equals" ? [action.uid] : [];
  return uids.length > 0 && uids.every(({ id }) => id === ISSUE_KEY_ACTION);
}

function found({ id, place }: PolicyFacts, why: string): Found {
  return { of: id, place, message: `policy '${id}' never applies: ${why}`, policies: [id] };
}

/** A few names, and how many more. */
export function listed(names: readonly string[], shown = 3): string {
  const first = names.slice(0, shown).map((name) => `"${name}"`);
  const rest = names.length - first.length;
  return rest > 0 ? `${first.join(", ")} and ${String(rest)} more` : first.join(", ");
}

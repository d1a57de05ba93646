/** A method that a route takes and that no policy lets anybody use. */
import { NAMESPACE } from "../cedar-names.ts";
import type { Found } from "./finding.ts";
import type { FindingRule } from "./finding-rule.ts";
import { listed } from "./policy-never-applies.ts";
import type { FindingSubject, Target } from "./subject.ts";

export const actionNobody: FindingRule = {
  id: "action-nobody",
  severity: "warning",
  title: "nobody may do what a route is there for",
  proves:
    "For that action on that route no permit's scope takes any caller whom the route lets in, or a forbid without conditions takes all of them. Methods are told one by one only where the route lists them.",
  silence: "That somebody may. The permits that there are may have conditions that nobody meets.",
  remedy: "write a permit, or take the method out of the route",
  *find(subject) {
    const byService = new Map<string, string[]>();
    for (const target of subject.targets) {
      if (target.facts === undefined && !(target.admin && subject.written.admin)) continue;
      const closed = closedActions(target, subject);
      const all = closed.length === target.actions.length && closed.length > 0;
      // Of an action that nobody asked for by name, nothing is missed.
      if (all || (closed.length > 0 && target.listed !== undefined && !target.described)) {
        yield found(target, all ? "" : closed.join(", "), subject);
      } else if (target.described && target.service !== undefined) {
        const before = byService.get(target.service) ?? closed;
        byService.set(
          target.service,
          before.filter((id) => closed.includes(id)),
        );
      }
    }
    for (const [service, closed] of byService) {
      if (closed.length > 0) yield foundOperations(service, closed, subject);
    }
  },
};

/** Operations that nobody may use on any route of their service: which of its routes takes them is not known. */
function foundOperations(
  service: string,
  closed: readonly string[],
  { written }: FindingSubject,
): Found {
  return {
    of: service,
    place: written.services.find(({ name }) => name === service)?.place ?? {},
    message: `nobody may use ${listed(closed, 10)} of service "${service}"`,
    service,
  };
}

function closedActions(target: Target, subject: FindingSubject): readonly string[] {
  const missing = new Set(target.actions.map(({ id }) => id));
  const forbidden = new Set<string>();
  for (const policy of subject.policiesOn(target)) {
    if (policy.effect === "forbid") {
      if (policy.conjuncts.size > 0 || !takesAll(policy, target, subject)) continue;
      for (const id of subject.actionsOf(policy)) forbidden.add(id);
    } else if (missing.size > 0) {
      if (!target.sources.some((source) => subject.admits(policy.principal, source))) continue;
      for (const id of subject.actionsOf(policy)) missing.delete(id);
    }
  }
  return target.actions.map(({ id }) => id).filter((id) => missing.has(id) || forbidden.has(id));
}

function takesAll(
  { principal }: FindingSubject["policies"][number],
  { sources }: Target,
  subject: FindingSubject,
): boolean {
  const whole = principal.kind === "all" || principal.kind === "is";
  return whole && sources.every((source) => subject.admits(principal, source));
}

function found(target: Target, actions: string, subject: FindingSubject): Found {
  const { name, service, facts, admin } = target;
  const what = actions === "" ? "do anything" : `use ${actions}`;
  const where = admin ? "on the admin API" : `on route "${name}"`;
  return {
    of: admin ? `${NAMESPACE}::Admin` : name,
    place: facts?.place ?? subject.written.admin?.place ?? {},
    message: `nobody may ${what} ${where}`,
    route: admin ? undefined : name,
    service,
  };
}

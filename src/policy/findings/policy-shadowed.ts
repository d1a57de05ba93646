/**
 * A permit that changes nothing: whatever it permits another permit permits too, or a forbid forbids it
 * whenever it applies. Said only where scopes and equal conditions prove it.
 */
import type { Found } from "./finding.ts";
import type { FindingRule } from "./finding-rule.ts";
import type { PolicyFacts } from "./policy-facts.ts";
import { covers, slotOf, slotsAbove } from "./scopes.ts";
import type { FindingSubject } from "./subject.ts";

export const policyShadowed: FindingRule = {
  id: "policy-shadowed",
  severity: "warning",
  title: "a permit changes no decision",
  proves:
    "Another permit applies to every request to which this one applies, or a forbid does: its scope takes all that this one's takes, and each of its conditions is a condition of this one, word for word.",
  silence:
    "That the permit is needed. Several others may cover it together, or one whose conditions mean the same in other words.",
  remedy: "remove one of the two, or narrow the wider one",
  *find(subject) {
    const above = indexPolicies(subject.policies);
    for (const [order, policy] of subject.policies.entries()) {
      if (policy.effect !== "permit") continue;
      const by = shadowOf({ policy, order }, above, subject);
      if (by !== undefined) yield found(policy, by);
    }
  },
};

/** Policies by slot of the principal, slot of the resource, and the first of its conditions. */
type Index = ReadonlyMap<string, readonly Placed[]>;
interface Placed {
  readonly policy: PolicyFacts;
  readonly order: number;
}

const UNCONDITIONAL = "";

/** So that each is held against few: 10 000 policies are 100 million pairs. */
function indexPolicies(policies: readonly PolicyFacts[]): Index {
  return Map.groupBy(
    policies.map((policy, order) => ({ policy, order })),
    ({ policy: { principal, resource, conjuncts } }) => {
      const [first = UNCONDITIONAL] = conjuncts;
      return keyOf(slotOf(principal), slotOf(resource), first);
    },
  );
}

function shadowOf(
  { policy, order: own }: Placed,
  index: Index,
  subject: FindingSubject,
): PolicyFacts | undefined {
  const actions = subject.actionsOf(policy);
  // What never applies is shadowed by anything; it is said once, as policy-never-applies.
  if (actions.size === 0) return undefined;
  for (const { policy: other, order } of candidates(policy, index, subject)) {
    if (other === policy) continue;
    if (!covers(other.principal, policy.principal, subject.ancestors)) continue;
    if (!covers(other.resource, policy.resource, subject.ancestors)) continue;
    if (!isWithin(other.conjuncts, policy.conjuncts)) continue;
    const theirs = subject.actionsOf(other);
    if (!isWithin(actions, theirs)) continue;
    // Of two permits that say the same, the later one is too much.
    const same =
      other.effect === "permit" &&
      order > own &&
      other.conjuncts.size === policy.conjuncts.size &&
      theirs.size === actions.size &&
      covers(policy.principal, other.principal, subject.ancestors) &&
      covers(policy.resource, other.resource, subject.ancestors);
    if (!same) return other;
  }
  return undefined;
}

function* candidates(
  { principal, resource, conjuncts }: PolicyFacts,
  index: Index,
  { ancestors }: FindingSubject,
): Generator<Placed> {
  const resources = slotsAbove(resource, ancestors);
  for (const ofPrincipal of slotsAbove(principal, ancestors)) {
    for (const ofResource of resources) {
      for (const condition of [UNCONDITIONAL, ...conjuncts]) {
        yield* index.get(keyOf(ofPrincipal, ofResource, condition)) ?? [];
      }
    }
  }
}

function isWithin(few: ReadonlySet<string>, many: ReadonlySet<string>): boolean {
  if (few.size > many.size) return false;
  for (const one of few) if (!many.has(one)) return false;
  return true;
}

function keyOf(principal: string, resource: string, condition: string): string {
  return JSON.stringify([principal, resource, condition]);
}

function found({ id, place }: PolicyFacts, by: PolicyFacts): Found {
  const where = `${by.place.file ?? ""}:${String(by.place.line)}`;
  const how =
    by.effect === "permit" ? "permits all that it permits" : "forbids all that it permits";
  return {
    of: id,
    place,
    message: `policy '${id}' changes nothing: '${by.id}' (${where}) ${how}`,
    policies: [id],
  };
}

/** A policy of which no test case says what it is for. */
import type { FindingRule } from "./finding-rule.ts";
import type { PolicyFacts } from "./policy-facts.ts";

export const policyUntested: FindingRule = {
  id: "policy-untested",
  severity: "note",
  title: "no test case is decided by a policy",
  proves:
    "There are tests (policies.tests), and in none of their cases is the policy among those that determine the answer. Those that links make of one template count together.",
  silence:
    "That the tests say what is meant, or all of it. Where there are no tests at all, nothing is said.",
  remedy: "write a case that it decides; of a forbid, a request that it keeps out",
  *find({ policies, untested }) {
    if (untested === undefined) return;
    const open = new Set(untested);
    const byTemplate = Map.groupBy(policies, nameOf);
    for (const [of, made] of byTemplate) {
      const [first] = made;
      if (first === undefined || made.some(({ id }) => !open.has(id))) continue;
      const what = first.template === undefined ? "policy" : "template";
      yield {
        of,
        place: first.place,
        message: `no test case is decided by the ${what} '${of}'`,
        policies: made.map(({ id }) => id),
      };
    }
  },
};

function nameOf({ id, template = id }: PolicyFacts): string {
  return template;
}

/** What no case speaks of, one a line. */
import type { Coverage, CoveredPolicy } from "../../policy/testing/coverage.ts";

export function coverageLines(coverage: Coverage): string[] {
  const { policies, routes, neverTrue, undecided, routesWithout } = coverage;
  const decided = policies - neverTrue.length - undecided.length;
  const covered = routes - routesWithout.length;
  return [
    `policies that decided a case: ${decided} of ${policies}`,
    ...neverTrue.map((policy) => `  never applied: ${policyText(policy)}`),
    ...undecided.map((policy) => `  applied, decided nothing: ${policyText(policy)}`),
    `routes with a case: ${covered} of ${routes}`,
    ...routesWithout.map((route) => `  no case: ${route}`),
  ];
}

/** Of policies, those that decided a case; 100 where there is none. */
export function coveredPercent({ policies, neverTrue, undecided }: Coverage): number {
  if (policies === 0) return 100;
  return (100 * (policies - neverTrue.length - undecided.length)) / policies;
}

function policyText({ id, file, line, column }: CoveredPolicy): string {
  return `${id} (${file}:${line}:${column})`;
}

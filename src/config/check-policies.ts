/** What is worth saying about how policies are put in force. */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

export function checkPoliciesWarnings({ policies }: Draft): PathProblem[] {
  if (policies?.insecureIgnoreFailingTests !== true) return [];
  return [
    {
      path: ["policies", "insecureIgnoreFailingTests"],
      message:
        policies.tests.length === 0
          ? "failing tests are ignored, and there are no tests"
          : "policies are put in force though their tests fail",
      remedy: "no insecureIgnoreFailingTests, as soon as the tests pass",
    },
  ];
}

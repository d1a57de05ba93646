/** What is worth saying about how policies are put in force. */
import type { Draft } from "./draft.ts";
import type { PolicyOptions } from "../policy/policy-options.ts";
import type { PathProblem } from "../wire/document/issues.ts";

export function checkPoliciesWarnings({ policies }: Draft): PathProblem[] {
  return [...failingTests(policies), ...unsigned(policies)];
}

function unsigned(policies: PolicyOptions | undefined): PathProblem[] {
  if (policies?.bundle?.insecureUnsigned !== true) return [];
  return [
    {
      path: ["policies", "bundle", "insecureUnsigned"],
      message: "policies are taken unsigned: whoever can write to that URL decides who may do what",
      remedy: "keys, one of which has signed them, and no insecureUnsigned",
    },
  ];
}

function failingTests(policies: PolicyOptions | undefined): PathProblem[] {
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

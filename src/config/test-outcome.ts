/** A report of tests as problems: what refuses a configuration, and what `sallyport check` prints. */
import type { Problem } from "../model/errors.ts";
import { type CaseResult, passed } from "../policy/testing/run-tests.ts";
import type { TestReport } from "../policy/testing/test-policies.ts";
import type { TestOutcome } from "./test-thread.ts";

const LIMITS = {
  /** Problems that are handed on; `sallyport test` prints all. */
  problems: 100,
} as const;

export function outcomeOf({ results, problems }: TestReport): TestOutcome {
  const failed = results.filter((one) => !passed(one));
  const all = [...problems, ...failed.map(failureProblem)];
  return {
    cases: results.length,
    failed: failed.length,
    problems: all.slice(0, LIMITS.problems),
    faults: all.length,
  };
}

/** Ids of policies that decide no case; undefined where cases that cannot be read might be those that are missing. */
export function untestedBy({ coverage, problems }: TestReport): readonly string[] | undefined {
  if (problems.length > 0) return undefined;
  return [...coverage.neverTrue, ...coverage.undecided].map(({ id }) => id);
}

function failureProblem({ name, file, line, column, differences }: CaseResult): Problem {
  return {
    file,
    line,
    column,
    message: `the test "${name}" fails: ${differences.join("; ")}`,
    remedy: "mend the policies, or the test where it expects what is not wanted",
  };
}

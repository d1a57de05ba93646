/** For programs: each case as it was expected and as it came out. */
import { askedText } from "./case-text.ts";
import { countsOf, type TestRun } from "./test-run.ts";

export function jsonText(run: TestRun): string {
  const { cases, failed } = countsOf(run);
  const value = {
    cases,
    passed: cases - failed,
    failed,
    durationMs: Math.ceil(run.durationMs),
    problems: run.problems,
    results: run.results.map((result) => {
      const { name, file, line, column, expected, actual, differences } = result;
      return {
        name,
        file,
        line,
        column,
        passed: differences.length === 0,
        asked: askedText(result),
        expected,
        actual,
        ...(differences.length === 0 ? {} : { differences, explanation: run.explain(result) }),
      };
    }),
    ...(run.showCoverage ? { coverage: run.coverage } : {}),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

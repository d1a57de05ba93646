/** TAP 14 (https://testanything.org/tap-version-14-specification.html), for programs that read test results. */
import { formatProblem } from "../../model/errors.ts";
import type { CaseResult } from "../../policy/testing/run-tests.ts";
import { askedText } from "./case-text.ts";
import { coverageLines } from "./coverage-text.ts";
import { placeText, type TestRun } from "./test-run.ts";

export function tapText(run: TestRun): string {
  const lines = ["TAP version 14", `1..${run.results.length}`];
  for (const [index, result] of run.results.entries()) {
    const passed = result.differences.length === 0;
    const name = described(`${result.file}: ${result.name}`);
    lines.push(`${passed ? "ok" : "not ok"} ${index + 1} - ${name}`);
    if (!passed) lines.push(...diagnostics(result, run.explain(result)));
  }
  if (run.showCoverage) lines.push(...coverageLines(run.coverage).map((line) => `# ${line}`));
  if (run.problems.length > 0) {
    lines.push(...run.problems.map((problem) => `# ${formatProblem(problem)}`));
    lines.push(`Bail out! ${run.problems.length} problems in the test files`);
  }
  return `${lines.join("\n")}\n`;
}

/** `#` would begin a directive. */
function described(text: string): string {
  return text.replaceAll(/[\\#]/g, (sign) => `\\${sign}`);
}

/** A YAML block; JSON texts are YAML. */
function diagnostics(result: CaseResult, explanation: readonly string[]): string[] {
  const { expected, actual, differences } = result;
  const { decision, reason, determining, determiningIncludes } = expected;
  const entries: readonly (readonly [string, unknown])[] = [
    ["message", differences.join("; ")],
    ["severity", "fail"],
    ["at", placeText(result)],
    ["asked", askedText(result)],
    ["expected", { decision, reason, determining, determiningIncludes }],
    ["actual", actual],
    ...(explanation.length === 0 ? [] : [["explanation", explanation] as const]),
  ];
  return [
    "  ---",
    ...entries.map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`),
    "  ...",
  ];
}

/** For a person at a terminal. */
import { formatProblem } from "../../model/errors.ts";
import { askedText, decidedText } from "./case-text.ts";
import { coverageLines } from "./coverage-text.ts";
import { byFile, countsOf, placeText, type TestRun } from "./test-run.ts";

export function specText(run: TestRun): string {
  const lines: string[] = [];
  for (const [file, results] of byFile(run.results)) {
    lines.push(file);
    for (const result of results) {
      if (result.differences.length === 0) {
        lines.push(`  ✔ ${result.name}`);
        continue;
      }
      lines.push(`  ✖ ${result.name}`);
      for (const difference of result.differences) lines.push(`      ${difference}`);
      lines.push(`      ${decidedText(result)}`, `      ${askedText(result)}`);
      for (const line of run.explain(result)) lines.push(`      ${line}`);
      lines.push(`      at ${placeText(result)}`);
    }
    lines.push("");
  }
  for (const problem of run.problems) lines.push(formatProblem(problem));
  if (run.problems.length > 0) lines.push("");
  if (run.showCoverage) lines.push(...coverageLines(run.coverage), "");
  lines.push(summary(run));
  return `${lines.join("\n")}\n`;
}

export function summary(run: TestRun): string {
  const { cases, failed } = countsOf(run);
  const counts = [`${cases - failed} passed`, `${failed} failed`];
  if (run.problems.length > 0) counts.push(`${run.problems.length} problems in the files`);
  return `${cases} cases: ${counts.join(", ")} (${Math.ceil(run.durationMs)} ms)`;
}

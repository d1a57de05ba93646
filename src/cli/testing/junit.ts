/** JUnit's XML, as CI systems read it: a suite for each file. What is wrong with a file is an error in its suite. */
import { formatProblem, type Problem } from "../../model/errors.ts";
import type { CaseResult } from "../../policy/testing/run-tests.ts";
import { askedText, decidedText } from "./case-text.ts";
import { coverageLines } from "./coverage-text.ts";
import { byFile, countsOf, placeText, type TestRun } from "./test-run.ts";

export function junitText(run: TestRun): string {
  const suites = byFile(run.results);
  const problems = Map.groupBy(run.problems, ({ file = "" }) => file);
  const files = new Set([...suites.keys(), ...problems.keys()]);
  const { cases, failed } = countsOf(run);
  const total = {
    tests: cases + run.problems.length,
    failures: failed,
    errors: run.problems.length,
  };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="sallyport" ${counted(total)} time="${(run.durationMs / 1000).toFixed(3)}">`,
    ...[...files].map((file) => suite(file, suites.get(file) ?? [], problems.get(file) ?? [], run)),
    ...(run.showCoverage ? [coverageSuite(run)] : []),
    "</testsuites>",
    "",
  ].join("\n");
}

interface Totals {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
}

function counted({ tests, failures, errors }: Totals): string {
  return `tests="${tests}" failures="${failures}" errors="${errors}"`;
}

// oxlint-disable-next-line eslint/max-params -- one use
function suite(
  file: string,
  results: readonly CaseResult[],
  problems: readonly Problem[],
  run: TestRun,
): string {
  const { failed } = countsOf({ results });
  const totals = {
    tests: results.length + problems.length,
    failures: failed,
    errors: problems.length,
  };
  return [
    `  <testsuite name="${xml(file)}" ${counted(totals)} skipped="0">`,
    ...results.map((result) => testcase(result, run)),
    ...problems.map((problem) =>
      [
        `    <testcase name="${xml(problem.message)}" classname="${xml(file)}">`,
        `      <error message="${xml(problem.message)}">${xml(formatProblem(problem))}</error>`,
        "    </testcase>",
      ].join("\n"),
    ),
    "  </testsuite>",
  ].join("\n");
}

function testcase(result: CaseResult, run: TestRun): string {
  const { name, file, line, differences } = result;
  const open = `    <testcase name="${xml(name)}" classname="${xml(file)}" file="${xml(file)}" line="${line}"`;
  if (differences.length === 0) return `${open}/>`;
  const text = [
    ...differences,
    decidedText(result),
    askedText(result),
    ...run.explain(result),
    `at ${placeText(result)}`,
  ].join("\n");
  return [
    `${open}>`,
    `      <failure message="${xml(differences.join("; "))}">${xml(text)}</failure>`,
    "    </testcase>",
  ].join("\n");
}

function coverageSuite({ coverage }: TestRun): string {
  const lines = coverageLines(coverage).join("\n");
  return [
    `  <testsuite name="coverage" ${counted({ tests: 0, failures: 0, errors: 0 })} skipped="0">`,
    `    <system-out>${xml(lines)}</system-out>`,
    "  </testsuite>",
  ].join("\n");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
};

/** For text and attributes. What no XML 1.0 document may hold becomes U+FFFD. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\u0020-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\u{FFFD}")
    .replaceAll(/[&<>"\n]/g, (sign) => ESCAPES[sign] ?? sign);
}

/** One run of tests, as each format tells it. */
import type { CaseResult } from "../../policy/testing/run-tests.ts";
import type { TestReport } from "../../policy/testing/test-policies.ts";

export interface TestRun extends TestReport {
  readonly durationMs: number;
  /** Whether what no case speaks of is to be told. */
  readonly showCoverage: boolean;
  /** Lines that say why a case came out as it did; none where nothing is known. */
  readonly explain: (result: CaseResult) => readonly string[];
}

export interface Counts {
  readonly cases: number;
  readonly failed: number;
}

export function countsOf({ results }: Pick<TestRun, "results">): Counts {
  const failed = results.filter(({ differences }) => differences.length > 0).length;
  return { cases: results.length, failed };
}

/** `file:line:column` */
export function placeText(result: Pick<CaseResult, "file" | "line" | "column">): string {
  return `${result.file}:${result.line}:${result.column}`;
}

/** The cases of each file, in the order in which they ran. */
export function byFile(results: readonly CaseResult[]): ReadonlyMap<string, readonly CaseResult[]> {
  return Map.groupBy(results, ({ file }) => file);
}

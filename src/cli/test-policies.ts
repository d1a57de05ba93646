/**
 * `sallyport test`: runs the tests of a configuration's policies and prints them like a test runner. 0: all
 * pass; 1: one fails, or too few policies are covered; 2: there are none, or a file cannot be read.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadConfig, loadOwn } from "../config/load.ts";
import { runTests } from "../config/run-tests.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { verifyPolicies } from "../policy/compile-policies.ts";
import { openExplainable } from "../policy/explain/open-explainable.ts";
import { passed } from "../policy/testing/run-tests.ts";
import type { TEST_FORMATS } from "./choices.ts";
import { coveredPercent } from "./testing/coverage-text.ts";
import { createExplain } from "./testing/explain-lines.ts";
import { jsonText } from "./testing/json.ts";
import { junitText } from "./testing/junit.ts";
import { specText, summary } from "./testing/spec.ts";
import { tapText } from "./testing/tap.ts";
import { countsOf, type TestRun } from "./testing/test-run.ts";

export interface TestOptions {
  readonly config: string;
  readonly format: (typeof TEST_FORMATS)[number];
  readonly output?: string | undefined;
  readonly coverage: boolean;
  /** Percent of the policies that have to decide a case. */
  readonly minCoverage?: number | undefined;
  /** Only cases whose name or file has it, letter case aside. */
  readonly filter?: string | undefined;
}

const FORMATS: Readonly<Record<TestOptions["format"], (run: TestRun) => string>> = {
  spec: specText,
  tap: tapText,
  junit: junitText,
  json: jsonText,
};

/** Throws ConfigError where configuration or policies do not load. */
export async function testPolicies(
  options: TestOptions,
  { write }: { readonly write: (text: string) => void },
): Promise<number> {
  const run = await runOf(options);
  const text = FORMATS[options.format](run);
  if (options.output === undefined) write(text);
  else {
    save(options.output, text);
    write(`${summary(run)}\n`);
  }
  if (run.problems.length > 0) return 2;
  if (run.results.length === 0) throw noCases(options);
  if (countsOf(run).failed > 0) return 1;
  return coveredEnough(run, options, write) ? 0 : 1;
}

async function runOf({ config, filter, coverage }: TestOptions): Promise<TestRun> {
  if ((await loadOwn(config)) !== undefined) {
    const message = "its policies were tested at the authority before they came over the feed";
    throw new ConfigError([{ file: config, message, remedy: "sallyport test there" }]);
  }
  const { tests, policyFiles, vocabulary } = await loadConfig(config);
  if (tests === undefined) {
    const message = "the configuration names no tests";
    throw new ConfigError([{ file: config, message, remedy: "policies: { tests: [folder] }" }]);
  }
  // Files are named as the person who asks would name them.
  const folder = dirname(config);
  const here = <T extends { readonly name: string }>(files: readonly T[]): T[] =>
    files.map((file) => ({ ...file, name: join(folder, file.name) }));
  const result = await verifyPolicies({ files: here(policyFiles), vocabulary });
  if (result.problems !== undefined) throw new ConfigError(result.problems);
  const began = systemClock.monotonic();
  const wanted = filter?.toLowerCase();
  const report = await runTests(
    {
      tests: { ...tests, files: here(tests.files) },
      verified: result.verified,
      vocabulary,
      only:
        wanted === undefined
          ? undefined
          : ({ name, file }) => `${file} ${name}`.toLowerCase().includes(wanted),
    },
    { clock: systemClock },
  );
  const durationMs = systemClock.monotonic() - began;
  const source = { files: here(policyFiles), vocabulary };
  // Half a second, and only where somebody wants to know.
  const set = report.results.every(passed)
    ? undefined
    : await openExplainable(source, { clock: systemClock });
  return { ...report, durationMs, showCoverage: coverage, explain: createExplain(set) };
}

function coveredEnough(
  run: TestRun,
  { minCoverage }: TestOptions,
  write: (text: string) => void,
): boolean {
  if (minCoverage === undefined) return true;
  const percent = coveredPercent(run.coverage);
  if (percent >= minCoverage) return true;
  const covered = `${Math.floor(percent)} % of the policies decided a case`;
  write(`${covered}, and ${minCoverage} % have to: --coverage lists the others\n`);
  return false;
}

function noCases({ filter, config }: TestOptions): ConfigError {
  const message = `no case has "${filter ?? ""}" in its name or its file`;
  return new ConfigError([{ file: config, message, remedy: "another filter, or none" }]);
}

function save(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unwritable";
    throw new SallyportError("io-failed", `${file} cannot be written (${code})`, { cause: error });
  }
}

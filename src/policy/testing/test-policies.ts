/**
 * Policies and their tests: everything that can be said of both. It computes for as long as there are
 * cases, so what serves traffic asks for it in a thread (config/test-thread.ts).
 */
import type { Problem } from "../../model/errors.ts";
import { compileVerified, type CompileDeps, type VerifiedPolicies } from "../compile-policies.ts";
import type { PolicyFile } from "../policy-source.ts";
import { type Coverage, coverageOf } from "./coverage.ts";
import { readTests, type TestCase } from "./read-tests.ts";
import { type CaseResult, runCase } from "./run-tests.ts";
import type { TestWorld } from "./test-world.ts";

export interface TestTask {
  readonly files: readonly PolicyFile[];
  readonly verified: VerifiedPolicies;
  readonly world: Omit<TestWorld, "policyIds">;
  /** Only cases of which it says so; all, when left out. */
  readonly only?: ((one: Pick<TestCase, "name" | "file">) => boolean) | undefined;
}

export interface TestReport {
  readonly results: readonly CaseResult[];
  readonly coverage: Coverage;
  /** What is wrong with the files; the cases of which something is wrong were not run. */
  readonly problems: readonly Problem[];
}

/** What is wrong with the policies themselves was found when they were verified. */
export async function testPolicies(task: TestTask, deps: CompileDeps): Promise<TestReport> {
  const { files, verified, world, only } = task;
  const held = new Set<string>();
  const compiled = await compileVerified(verified, world.vocabulary, {
    ...deps,
    held: (id) => void held.add(id),
  });
  if (compiled.problems !== undefined) {
    return { results: [], coverage: NO_COVERAGE, problems: compiled.problems };
  }
  const policyIds = new Set(verified.policies.map(({ id }) => id));
  const { cases, problems } = readTests(files, { ...world, policyIds });
  const chosen = only === undefined ? cases : cases.filter(only);
  const results = chosen.map((one) => runCase(one, compiled.policies));
  const { policies } = verified;
  const coverage = coverageOf({ policies, routes: world.routing.names, results, held });
  return { results, coverage, problems };
}

const NO_COVERAGE: Coverage = {
  policies: 0,
  routes: 0,
  neverTrue: [],
  undecided: [],
  routesWithout: [],
};

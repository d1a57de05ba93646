/** Runs the tests of a configuration in this thread: for commands, which nobody waits for but who typed them. */
import type { CompileDeps } from "../policy/compile-policies.ts";
import { type TestReport, testPolicies, type TestTask } from "../policy/testing/test-policies.ts";
import { testWorld } from "./policy-tests.ts";
import type { TestThreadTask } from "./test-pieces.ts";

export async function runTests(
  { tests, verified, vocabulary, only }: TestThreadTask & Pick<TestTask, "only">,
  deps: CompileDeps,
): Promise<TestReport> {
  const world = testWorld(tests, vocabulary);
  return await testPolicies({ files: tests.files, verified, world, only }, deps);
}

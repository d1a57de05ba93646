/** A policy source made ready to explain decisions by it. */
import { SallyportError, formatProblem } from "../../model/errors.ts";
import { compileVerified, verifyPolicies, type CompileDeps } from "../compile-policies.ts";
import type { PolicySource } from "../policy-source.ts";
import { clausedPolicies } from "./claused-policies.ts";
import type { ExplainableSet } from "./explanation.ts";

/** Throws SallyportError `policy-invalid` where the policies do not pass the checks of this version. */
export async function openExplainable(
  source: PolicySource,
  deps: CompileDeps,
): Promise<ExplainableSet> {
  const { verified, problems } = await verifyPolicies(source);
  if (problems !== undefined) throw refused(problems);
  const compiled = await compileVerified(verified, source.vocabulary, deps);
  if (compiled.problems !== undefined) throw refused(compiled.problems);
  return {
    policies: clausedPolicies(source.files, verified.policies),
    gate: compiled.policies,
  };
}

function refused(problems: readonly Parameters<typeof formatProblem>[0][]): SallyportError {
  const [first] = problems;
  const what = first === undefined ? "" : `: ${formatProblem(first)}`;
  return new SallyportError("policy-invalid", `the policies cannot be evaluated${what}`);
}

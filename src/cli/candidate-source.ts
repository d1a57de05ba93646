/** Which policies a command is to evaluate: those of a configuration, or others with its words and data. */
import { readPolicyFiles } from "../config/policy-files.ts";
import { ConfigError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { compileVerified, verifyPolicies } from "../policy/compile-policies.ts";
import type { InspectablePolicies } from "../policy/decide/gate-policies.ts";
import { clausedPolicies, type PlacedPolicy } from "../policy/explain/claused-policies.ts";
import type { PolicySource } from "../policy/policy-source.ts";
import { configuredSource, namedSource } from "./policy-source.ts";

/**
 * `policies`: folders and files in place of the configured ones, or one policy bundle, which has its own
 * words. Throws ConfigError where they cannot be read.
 */
export async function candidateSource(
  config: string,
  policies: readonly string[],
): Promise<PolicySource> {
  const [first] = policies;
  if (first?.endsWith(".json") === true && policies.length === 1) {
    return (await namedSource(first)).source;
  }
  const { files, vocabulary } = (await configuredSource(config)).source;
  if (first === undefined) return { files, vocabulary };
  const read = readPolicyFiles(policies, process.cwd());
  if (read.problems.length > 0) {
    throw new ConfigError(
      read.problems.map(({ message, remedy = "name what there is" }) => ({ message, remedy })),
    );
  }
  const data = files.filter(({ name }) => !name.endsWith(".cedar"));
  return { files: [...read.files, ...data], vocabulary };
}

export interface CandidatePolicies {
  readonly policies: InspectablePolicies;
  /** Each as its clauses, in the order of the files. */
  readonly clauses: readonly PlacedPolicy[];
}

/** Throws ConfigError with every problem. */
export async function candidatePolicies(source: PolicySource): Promise<CandidatePolicies> {
  const { verified, problems } = await verifyPolicies(source);
  if (problems !== undefined) throw new ConfigError(problems);
  const compiled = await compileVerified(verified, source.vocabulary, { clock: systemClock });
  if (compiled.problems !== undefined) throw new ConfigError(compiled.problems);
  return { policies: compiled.policies, clauses: clausedPolicies(source.files, verified.policies) };
}

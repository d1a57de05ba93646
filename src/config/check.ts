/**
 * Everything that can be said about a configuration without running it: what keeps it from loading,
 * policies that do not parse or validate, and findings that do not keep it from running.
 */
import { dirname, join } from "node:path";
import type { Problem } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import { compilePolicies } from "../policy/compile-policies.ts";
import { inspectConfig, type LoadedConfig, type LoadSources } from "./load.ts";

export interface CheckDeps extends LoadSources {
  readonly clock: Pick<Clock, "monotonic">;
}

export interface CheckResult {
  /** Those of the configuration in the order of its lines, then those of the policies. */
  readonly problems: readonly Problem[];
  /** Undefined when the configuration itself does not load; then no policy was looked at. */
  readonly loaded: LoadedConfig | undefined;
}

/** Throws ConfigError only where the file itself cannot be read. */
export async function checkConfig(file: string, deps: CheckDeps): Promise<CheckResult> {
  const { loaded, problems, warnings } = await inspectConfig(file, deps);
  if (loaded === undefined) return { problems: [...problems, ...warnings], loaded };
  // Policies are named as the person who asks would name them.
  const folder = dirname(file);
  const files = loaded.policyFiles.map(({ name, text }) => ({ name: join(folder, name), text }));
  const result = await compilePolicies({ files, vocabulary: loaded.vocabulary }, deps);
  return { problems: [...warnings, ...(result.problems ?? result.warnings)], loaded };
}

/**
 * Everything that can be said about a configuration without running it: what keeps it from loading,
 * policies that do not parse or validate, and findings that do not keep it from running. Of an
 * authority also whether each group of proxies can load what it is to get; of a follower, what it runs
 * with the bundle that it took last, where there is one.
 */
import { dirname, join } from "node:path";
import type { Problem } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import { compilePolicies } from "../policy/compile-policies.ts";
import { checkPublished } from "./check-published.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import { inspectConfig, type LoadedConfig, type LoadedOwn, type LoadSources } from "./load.ts";
import { bundlesFolder, newestBundle } from "./unpack-bundle.ts";

export interface CheckDeps extends LoadSources {
  readonly clock: Pick<Clock, "monotonic">;
}

export interface CheckResult {
  /** Those of the configuration in the order of its lines, then those of the policies. */
  readonly problems: readonly Problem[];
  /** Undefined when the configuration itself does not load; then no policy was looked at. */
  readonly loaded: LoadedConfig | undefined;
  /** Of a follower that has no bundle yet: all that could be looked at. */
  readonly own?: LoadedOwn | undefined;
}

/** Throws ConfigError only where the file itself, or the bundle, cannot be read. */
export async function checkConfig(file: string, deps: CheckDeps): Promise<CheckResult> {
  const first = await inspectConfig(file, deps);
  const { own } = first;
  const bundle =
    own === undefined
      ? undefined
      : await newestBundle(bundlesFolder(own.config.authority.identity));
  const inspection = bundle === undefined ? first : await inspectConfig(file, { ...deps, bundle });
  const { loaded, problems, warnings } = inspection;
  if (loaded === undefined) {
    return { problems: [...problems, ...warnings], loaded, own: inspection.own };
  }
  // Policies are named as the person who asks would name them.
  const folder = dirname(file);
  const named = (files: readonly PolicyFile[]): PolicyFile[] =>
    files.map(({ name, text }) => ({
      name: loaded.bundle === undefined ? join(folder, name) : `bundle ${loaded.bundle}: ${name}`,
      text,
    }));
  const { vocabulary, policyFiles, shadowFiles } = loaded;
  const result = await compilePolicies({ files: named(policyFiles), vocabulary }, deps);
  const shadow =
    shadowFiles === undefined
      ? undefined
      : await compilePolicies({ files: named(shadowFiles), vocabulary }, deps);
  const published = await checkPublished(file, loaded, deps);
  return {
    problems: [
      ...warnings,
      ...(result.problems ?? result.warnings),
      ...(shadow?.problems ?? shadow?.warnings ?? []),
      ...published,
    ],
    loaded,
  };
}

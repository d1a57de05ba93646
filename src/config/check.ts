/**
 * Everything that can be said about a configuration without running it: what keeps it from loading,
 * policies that do not parse or validate, and findings that do not keep it from running. Of an
 * authority also whether each group of proxies can load what it is to get; of a follower, what it runs
 * with the bundle that it took last, where there is one.
 */
import { dirname, join } from "node:path";
import type { Problem } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import {
  compilePolicies,
  compileVerified,
  type VerifiedPolicies,
  verifyPolicies,
} from "../policy/compile-policies.ts";
import { findFindings } from "../policy/findings/find-findings.ts";
import type { Finding } from "../policy/findings/finding.ts";
import { checkPublished } from "./check-published.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import { inspectConfig, type LoadedConfig, type LoadedOwn, type LoadSources } from "./load.ts";
import { runTests } from "./run-tests.ts";
import { outcomeOf, untestedBy } from "./test-outcome.ts";
import { bundlesFolder, newestBundle } from "./unpack-bundle.ts";

export interface CheckDeps extends LoadSources {
  readonly clock: Pick<Clock, "monotonic">;
}

export interface CheckResult {
  /** Those of the configuration in the order of its lines, then those of the policies. */
  readonly problems: readonly Problem[];
  /** What is valid and should be looked at; none where policies do not load, or came over a feed. */
  readonly findings: readonly Finding[];
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
  const { loaded, problems, warnings, facts } = inspection;
  if (loaded === undefined) {
    return { problems: [...problems, ...warnings], findings: [], loaded, own: inspection.own };
  }
  // Policies are named as the person who asks would name them.
  const folder = dirname(file);
  const named = (files: readonly PolicyFile[]): PolicyFile[] =>
    files.map(({ name, text }) => ({
      name: loaded.bundle === undefined ? join(folder, name) : `bundle ${loaded.bundle}: ${name}`,
      text,
    }));
  const { vocabulary, policyFiles, shadowFiles } = loaded;
  const { verified, problems: refused } = await verifyPolicies({
    files: named(policyFiles),
    vocabulary,
  });
  const compiled =
    verified === undefined
      ? { problems: refused }
      : await compileVerified(verified, vocabulary, deps);
  const tested =
    verified === undefined ? NO_TESTS : await checkTests(loaded, { verified, folder, deps });
  const shadow =
    shadowFiles === undefined
      ? undefined
      : await compilePolicies({ files: named(shadowFiles), vocabulary }, deps);
  const published = await checkPublished(file, loaded, deps);
  const { untested } = tested;
  const source = { untested, files: named(policyFiles), vocabulary };
  return {
    problems: distinct([
      ...warnings,
      ...(compiled.problems ?? compiled.warnings),
      ...tested.problems,
      // A candidate has the same data: what is wrong there is said once.
      ...(shadow?.problems ?? shadow?.warnings ?? []),
      ...published,
    ]),
    findings:
      verified === undefined || compiled.problems !== undefined || facts === undefined
        ? []
        : findFindings({ ...verified, ...source, written: facts() }),
    loaded,
  };
}

function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

interface Tested {
  readonly problems: readonly Problem[];
  /** Ids of policies that decide no case; undefined where that is not known. */
  readonly untested?: readonly string[] | undefined;
}

const NO_TESTS: Tested = { problems: [] };

/** Failing tests of policies, and what is wrong with their files. */
async function checkTests(
  { tests, vocabulary }: LoadedConfig,
  given: {
    readonly verified: VerifiedPolicies;
    readonly folder: string;
    readonly deps: CheckDeps;
  },
): Promise<Tested> {
  if (tests === undefined) return NO_TESTS;
  const { verified, folder, deps } = given;
  const files = tests.files.map(({ name, text }) => ({ name: join(folder, name), text }));
  const report = await runTests({ tests: { ...tests, files }, verified, vocabulary }, deps);
  const { problems: told, faults } = outcomeOf(report);
  const more = faults - told.length;
  const problems = more === 0 ? told : [...told, { message: `${more} more tests fail` }];
  return { problems, untested: untestedBy(report) };
}

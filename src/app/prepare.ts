/**
 * What is checked before anything is built: plain data, read and validated off the serving thread once
 * anything is served.
 */
import { loadConfigHere, type LoadedConfig } from "../config/load.ts";
import { loadConfigInThread } from "../config/load-thread.ts";
import { runTestsInThread, type TestOutcome } from "../config/test-thread.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import { isKept, keptBundlesFolder } from "../policy/bundle/kept-bundles.ts";
import { type VerifiedPolicies, verifyPolicies } from "../policy/compile-policies.ts";
import type { PolicySource } from "../policy/policy-source.ts";
import { sourceDigest, testsDigest } from "./source-digest.ts";

/** A configuration with policies that passed every check. */
export interface Prepared {
  readonly loaded: LoadedConfig;
  readonly policies: VerifiedPolicies;
  /** The candidate set, which has to pass as well; undefined where there is none. */
  readonly shadow: VerifiedPolicies | undefined;
  /** What came of the policies' tests; undefined where there are none. Failures are in it where they are ignored. */
  readonly tests?: TestOutcome | undefined;
}

export interface PreparerOptions {
  readonly bundle?: () => string | undefined;
  /** Whether nothing is served until the first configuration is prepared; false when left out. */
  readonly beforeServing?: boolean;
}

/**
 * Returns the function that prepares what `file` holds now, of a follower together with the bundle that
 * it is to run (`bundle` says the folder, and is asked each time); it throws ConfigError with every
 * problem, and SallyportError where the bundle cannot be read.
 * It remembers the last policies that passed: where neither they nor the words they can use have
 * changed, the official engine (half a second to start, 0.7 ms a policy) is not asked again. The same holds
 * for their tests. Bundles are kept beside the audit log, so that what they decide can be explained.
 *
 * Policies that fail a test are refused, unless the configuration ignores it (`insecureIgnoreFailingTests`).
 */
export function createPreparer(
  file: string,
  { bundle, beforeServing = false }: PreparerOptions = {},
): () => Promise<Prepared> {
  const enforced = createVerifier();
  const candidate = createVerifier();
  const tested = createTester();
  let load = beforeServing ? loadConfigHere : loadConfigInThread;
  return async () => {
    const loaded = await load(file, { env: process.env, bundle: bundle?.() });
    load = loadConfigInThread;
    const { policyFiles, shadowFiles, vocabulary } = loaded;
    // The candidate too: records name it where its answer is another.
    const keep = keptBundlesFolder(loaded.config.audit.path);
    const policies = await enforced({ files: policyFiles, vocabulary }, keep);
    const tests = await tested(loaded, policies);
    const shadow = shadowFiles && (await candidate({ files: shadowFiles, vocabulary }, keep));
    return { loaded, policies, shadow, tests };
  };
}

/** Throws ConfigError. */
function createVerifier(): (source: PolicySource, keep: string) => Promise<VerifiedPolicies> {
  let known: { readonly of: string; readonly policies: VerifiedPolicies } | undefined;
  return async (source, keep) => {
    const of = await sourceDigest(source);
    if (known?.of === of && isKept(keep, known.policies.hash)) return known.policies;
    const result = await verifyPolicies(source, { keep });
    if (result.problems !== undefined) throw new ConfigError(result.problems);
    known = { of, policies: result.verified };
    return result.verified;
  };
}

/**
 * Returns the function that runs tests, unless policies and tests are those of the last time. It throws
 * ConfigError where one fails and the configuration does not ignore it.
 */
function createTester(): (
  loaded: LoadedConfig,
  verified: VerifiedPolicies,
) => Promise<TestOutcome | undefined> {
  let known: { readonly of: string; readonly outcome: TestOutcome } | undefined;
  return async ({ tests, vocabulary }, verified) => {
    if (tests === undefined) return undefined;
    const of = `${verified.hash} ${await testsDigest(tests)}`;
    if (known?.of !== of) {
      known = { of, outcome: await runTestsInThread({ tests, verified, vocabulary }) };
    }
    const { outcome } = known;
    if (outcome.faults > 0 && !tests.ignoreFailing) throw new ConfigError(refusedBy(outcome));
    return outcome;
  };
}

/** The first problems, and how many others there are. */
function refusedBy({ problems, faults }: TestOutcome): readonly Problem[] {
  const more = faults - problems.length;
  if (more === 0) return problems;
  const message = `${more} more tests fail or cannot be read`;
  return [...problems, { message, remedy: "sallyport test prints all" }];
}

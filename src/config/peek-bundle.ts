/**
 * What a configuration says of the bundle of its policies, before all else of it is read: the bundle has to
 * be at hand for that.
 */
import { resolve } from "node:path";
import { ConfigError } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import type { BundleOptions } from "../policy/bundle/bundle-options.ts";
import type { BundleTarget } from "../policy/bundle/bundle-fetcher.ts";
import { policyOptionsSchema } from "../policy/policy-options.ts";
import { isMapping } from "../wire/document/written.ts";
import { bundleTarget, resolveBundle } from "./bundled-policies.ts";
import { expand } from "./expand.ts";
import { readSource } from "./read-source.ts";

/** What is to be fetched, and how often. */
export interface FetchedPolicies {
  readonly target: BundleTarget;
  readonly refreshMs: number;
}

/**
 * Undefined where nothing is fetched, or where what is written is wrong: then whoever loads it says so. Throws
 * ConfigError where the file, a key or a certificate cannot be read.
 */
export function peekBundle(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): FetchedPolicies | undefined {
  const source = readSource(file, {});
  if ("problems" in source) return undefined;
  const options = optionsIn(source.written, { env, folder: source.folder });
  const found = options && bundleTarget(options);
  if (options === undefined || found === undefined) return undefined;
  if ("value" in found) return { target: found.value, refreshMs: options.refresh };
  const { path, message, remedy = "" } = found.problem;
  throw new ConfigError([{ ...source.place(path), message, remedy }]);
}

function optionsIn(
  written: unknown,
  {
    env,
    folder,
  }: { readonly env: Readonly<Record<string, string | undefined>>; readonly folder: string },
): BundleOptions | undefined {
  if (!isMapping(written)) return undefined;
  const readFile = (name: string): string => readFileBytes(resolve(folder, name)).toString("utf8");
  const { value, problems } = expand({ policies: written["policies"] }, { env, readFile });
  if (problems.length > 0 || !isMapping(value)) return undefined;
  const { bundle } = policyOptionsSchema.safeParse(value["policies"]).data ?? {};
  return bundle && resolveBundle(bundle, (path) => resolve(folder, path));
}

/**
 * Reads the policies that come as a bundle (`policies.bundle`): from its file, or of what was fetched. It is
 * verified each time that it is read.
 */
import { basename } from "node:path";
import type { VerificationKey } from "../crypto/jwk.ts";
import { readPublicPem } from "../crypto/public-key.ts";
import { SallyportError } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import { cachedBundle, newestOf } from "../policy/bundle/bundle-cache.ts";
import {
  BUNDLE_FILE_LIMITS,
  type BundleFile,
  readBundleFile,
} from "../policy/bundle/bundle-file.ts";
import type { BundleTarget } from "../policy/bundle/bundle-fetcher.ts";
import type { BundleOptions } from "../policy/bundle/bundle-options.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

const AT: Path = ["policies", "bundle"];

type Found<T> = { readonly value: T } | { readonly problem: PathProblem };

/** Paths are absolute. */
export function readBundledPolicies(options: BundleOptions): Found<BundleFile> {
  const keys = readKeys(options);
  if ("problem" in keys) return keys;
  const text = options.file === undefined ? readFetched(options) : readOwn(options.file);
  if ("problem" in text) return text;
  try {
    const bundle = readBundleFile(text.value, keys.value);
    const { hash } = options;
    if (hash === undefined || bundle.hash === hash) return { value: bundle };
    return problem(
      ["hash"],
      `the bundle is ${bundle.hash}`,
      "the hash of the bundle that is there",
    );
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const remedy = "one that sallyport policy build has written, signed with --sign-key";
    return problem([options.file === undefined ? "url" : "file"], error.message, remedy);
  }
}

/** What the fetcher is told; undefined where nothing is fetched. Paths are absolute. */
export function bundleTarget(options: BundleOptions): Found<BundleTarget> | undefined {
  const { url, cache, hash, ca } = options;
  if (url === undefined) return undefined;
  const keys = readKeys(options);
  if ("problem" in keys) return keys;
  try {
    const pem = ca === undefined ? undefined : readFileBytes(ca).toString("utf8");
    return { value: { url, cache, hash, keys: keys.value, ca: pem } };
  } catch (error) {
    return problem(["ca"], `the file cannot be read (${codeOf(error)})`, "certificates in PEM");
  }
}

export function resolveBundle(
  options: BundleOptions,
  absolute: (path: string) => string,
): BundleOptions {
  const { file, keys, cache, ca } = options;
  return {
    ...options,
    cache: absolute(cache),
    ...(file !== undefined && { file: absolute(file) }),
    ...(keys !== undefined && { keys: keys.map(absolute) }),
    ...(ca !== undefined && { ca: absolute(ca) }),
  };
}

function readKeys({ keys }: BundleOptions): Found<readonly VerificationKey[] | undefined> {
  if (keys === undefined) return { value: undefined };
  const read: VerificationKey[] = [];
  for (const [index, file] of keys.entries()) {
    try {
      read.push(readPublicPem(readFileBytes(file).toString("utf8")));
    } catch (error) {
      const why =
        error instanceof SallyportError
          ? `the file cannot be used: ${error.message}`
          : `the file cannot be read (${codeOf(error)})`;
      return problem(["keys", index], why, "a public key in PEM");
    }
  }
  return { value: read };
}

function readOwn(file: string): Found<string> {
  try {
    return { value: readFileBytes(file, BUNDLE_FILE_LIMITS.bytes).toString("utf8") };
  } catch (error) {
    const remedy = "a file that sallyport policy build has written";
    return problem(["file"], `the file cannot be read (${codeOf(error)})`, remedy);
  }
}

function readFetched({ cache, hash, url }: BundleOptions): Found<string> {
  const newest = newestOf(cache);
  const wanted = hash ?? (newest?.url === url ? newest?.hash : undefined);
  const text = wanted === undefined ? undefined : cachedBundle(cache, wanted);
  if (text !== undefined) return { value: text };
  return hash === undefined
    ? problem(["url"], "no bundle was fetched from there yet", "sallyport policy fetch")
    : problem(
        ["hash"],
        "that bundle is not among those that were fetched",
        `one of those in ${basename(cache)}, or no hash`,
      );
}

function problem(at: Path, message: string, remedy: string): { readonly problem: PathProblem } {
  return { problem: { path: [...AT, ...at], message, remedy } };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "not readable";
}

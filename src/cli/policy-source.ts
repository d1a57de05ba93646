/**
 * A source of policies by what a person names: a configuration (`.yaml`), a policy bundle as `policy build`
 * writes it, or the bytes of one as they are kept beside the audit log.
 */
import { createHash } from "node:crypto";
import { type LoadedConfig, loadConfig, loadOwn } from "../config/load.ts";
import { bundlesFolder, newestBundle } from "../config/unpack-bundle.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { isJsonObject, parseJsonBytes } from "../model/json.ts";
import { readFileBytes } from "../platform/files.ts";
import {
  BUNDLE_FILE_LIMITS,
  type BundleContent,
  readBundleFile,
} from "../policy/bundle/bundle-file.ts";
import { decodePolicyBundle } from "../policy/bundle/policy-bundle.ts";
import { type VerifiedPolicies, verifyPolicies } from "../policy/compile-policies.ts";
import type { LoadedPolicy } from "../policy/load/load-policies.ts";

interface Content extends BundleContent {
  /** Where it is a configuration. */
  readonly configured?: LoadedConfig;
}

export interface NamedSource extends Content {
  readonly policies: readonly LoadedPolicy[];
  readonly verified: VerifiedPolicies;
  /** Of the policy bundle. */
  readonly hash: string;
}

/** Throws ConfigError with every problem, and SallyportError for what is none of them. */
export async function namedSource(path: string): Promise<NamedSource> {
  const content = /\.ya?ml$/.test(path) ? await configuredSource(path) : ofBundle(path);
  const result = await verifyPolicies(content.source);
  if (result.problems !== undefined) throw new ConfigError(result.problems);
  const { verified } = result;
  return { ...content, policies: verified.policies, verified, hash: verified.hash };
}

/** Of a follower with the bundle that it took last. */
export async function configuredSource(path: string): Promise<Content> {
  const own = await loadOwn(path);
  const bundle =
    own === undefined
      ? undefined
      : await newestBundle(bundlesFolder(own.config.authority.identity));
  const loaded = await loadConfig(path, { env: process.env, bundle });
  const { policyFiles: files, vocabulary, tests } = loaded;
  return { source: { files, vocabulary }, tests: tests?.files ?? [], configured: loaded };
}

/** No key is asked for: what is looked at is not put in force. */
function ofBundle(path: string): Content {
  const bytes = readBytes(path);
  const first = firstMember(bytes);
  if (first === "files") {
    const hash = `sha256-${createHash("sha256").update(bytes).digest("base64url")}`;
    return { source: decodePolicyBundle({ hash, bytes }), tests: [] };
  }
  try {
    return readBundleFile(bytes.toString("utf8"), undefined);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    throw new SallyportError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileBytes(path, BUNDLE_FILE_LIMITS.bytes);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SallyportError("io-failed", `${path} cannot be read (${code})`, { cause: error });
  }
}

function firstMember(bytes: Buffer): "files" | undefined {
  try {
    const value = parseJsonBytes(bytes);
    return isJsonObject(value) && "files" in value ? "files" : undefined;
  } catch {
    return undefined;
  }
}

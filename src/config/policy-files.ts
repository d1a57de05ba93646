/**
 * Reads the policies that a configuration names, their data and their tests: files, and of folders every
 * file of the right ending directly in them, in the order of their names. A folder that is missing or
 * holds none is an error, never an empty policy set: a wrong mount would otherwise deny or permit
 * everything without a word.
 */
import { readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { readFileBytes } from "../platform/files.ts";
import type { PolicyOptions } from "../policy/policy-options.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import { TEST_LIMITS } from "../policy/testing/test-format.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { readBundledPolicies, resolveBundle } from "./bundled-policies.ts";

const LIMITS = {
  /** Bytes of one file; 10 000 policies in one fit, and 100 000 entities. */
  file: 16 * 1024 * 1024,
  /** Files; each costs a read at every reload. */
  files: 10_000,
} as const;

export interface FilesRead {
  readonly files: readonly PolicyFile[];
  readonly problems: readonly PathProblem[];
}

/** A list of paths in `policies`, and what counts of a folder. */
interface Kind {
  readonly key: string;
  readonly suffixes: readonly string[];
  readonly what: string;
  readonly limits: { readonly file: number; readonly files: number };
}

const POLICIES: Kind = { key: "enforce", suffixes: [".cedar"], what: "*.cedar", limits: LIMITS };
const DATA: Kind = {
  key: "entities",
  suffixes: [".yaml", ".yml", ".json"],
  what: "*.yaml, *.yml or *.json",
  limits: LIMITS,
};
const TESTS: Kind = {
  key: "tests",
  suffixes: [".yaml", ".yml"],
  what: "*.yaml",
  limits: TEST_LIMITS,
};

export interface PoliciesRead extends FilesRead {
  /** The tests that hold for them. */
  readonly tests: readonly PolicyFile[];
}

/** Those that decide, with their data and their tests; of a section that is wrong, nothing. */
export function readPolicies(options: PolicyOptions | undefined, folder: string): PoliciesRead {
  const { enforce = [], entities = [], tests: tested = [], bundle } = options ?? {};
  if (bundle === undefined) {
    const policies = readPolicyFiles(enforce, folder);
    const data = readAll(entities, folder, DATA);
    const tests = readAll(tested, folder, TESTS);
    return {
      files: [...policies.files, ...data.files],
      tests: tests.files,
      problems: [...policies.problems, ...data.problems, ...tests.problems],
    };
  }
  const read = readBundledPolicies(resolveBundle(bundle, (path) => resolve(folder, path)));
  if ("problem" in read) return { files: [], tests: [], problems: [read.problem] };
  return { files: read.value.source.files, tests: read.value.tests, problems: [] };
}

export function readPolicyFiles(enforce: readonly string[], folder: string): FilesRead {
  return readAll(enforce, folder, POLICIES);
}

/** Of the candidate set, where there is one. */
export function readShadowFiles(
  shadow: readonly string[] | undefined,
  folder: string,
): Pick<FilesRead, "problems"> & { readonly files: FilesRead["files"] | undefined } {
  if (shadow === undefined) return { files: undefined, problems: [] };
  return readAll(shadow, folder, { ...POLICIES, key: "shadow" });
}

function readAll(paths: readonly string[], folder: string, kind: Kind): FilesRead {
  const files: PolicyFile[] = [];
  // A file that two entries name counts once.
  const seen = new Set<string>();
  const problems: PathProblem[] = [];
  for (const [index, written] of paths.entries()) {
    const path = ["policies", kind.key, index];
    const found = listFiles(resolve(folder, written), kind);
    if ("message" in found) {
      problems.push({ path, message: `"${written}" ${found.message}`, remedy: found.remedy });
      continue;
    }
    for (const file of found.paths) {
      const name = relative(folder, file).replaceAll("\\", "/");
      if (seen.has(name)) continue;
      seen.add(name);
      const read = readFile(file, kind);
      if ("text" in read) files.push({ name, text: read.text });
      else problems.push({ path, message: `"${name}" ${read.message}`, remedy: read.remedy });
    }
  }
  return { files, problems };
}

interface Fault {
  readonly message: string;
  readonly remedy: string;
}

function listFiles(
  path: string,
  { suffixes, what, limits }: Kind,
): { readonly paths: readonly string[] } | Fault {
  const remedy = `a folder with ${what} files, or one such file`;
  let names: string[];
  try {
    if (statSync(path).isFile()) {
      // What a file holds is told by its ending from here on.
      if (suffixes.some((suffix) => path.endsWith(suffix))) return { paths: [path] };
      return { message: `is no ${what} file`, remedy };
    }
    names = readdirSync(path);
  } catch (error) {
    return { message: `cannot be read (${codeOf(error)})`, remedy };
  }
  const counted = names.filter(
    (name) => suffixes.some((suffix) => name.endsWith(suffix)) && !name.startsWith("."),
  );
  if (counted.length === 0) return { message: `holds no ${what} file`, remedy };
  if (counted.length > limits.files) {
    return { message: `holds ${counted.length} files`, remedy: `at most ${limits.files}` };
  }
  return { paths: counted.toSorted().map((name) => join(path, name)) };
}

function readFile(file: string, { limits }: Kind): { readonly text: string } | Fault {
  const remedy = "a readable file in UTF-8";
  try {
    if (statSync(file).size > limits.file) {
      return { message: "is too large", remedy: `at most ${limits.file} bytes` };
    }
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readFileBytes(file)) };
  } catch (error) {
    return { message: `cannot be read (${codeOf(error)})`, remedy };
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "not UTF-8";
}

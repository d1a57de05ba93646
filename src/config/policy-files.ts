/**
 * Reads the policies that a configuration names: files, and of folders every `*.cedar` directly in
 * them, in the order of their names. A folder that is missing or holds none is an error, never an
 * empty policy set: a wrong mount would otherwise deny or permit everything without a word.
 */
import { readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { readFileBytes } from "../platform/files.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import type { PathProblem } from "../wire/document/issues.ts";

const LIMITS = {
  /** Bytes of one file; a policy is a page, and 10 000 of them in one file fit. */
  file: 16 * 1024 * 1024,
  /** Files; each costs a read at every reload. */
  files: 10_000,
} as const;

/** Of the candidate set, where there is one. */
export function readShadowFiles(
  shadow: readonly string[] | undefined,
  folder: string,
): {
  readonly files: readonly PolicyFile[] | undefined;
  readonly problems: readonly PathProblem[];
} {
  if (shadow === undefined) return { files: undefined, problems: [] };
  return readPolicyFiles(shadow, folder, "shadow");
}

export function readPolicyFiles(
  enforce: readonly string[],
  folder: string,
  key: "enforce" | "shadow" = "enforce",
): { readonly files: readonly PolicyFile[]; readonly problems: readonly PathProblem[] } {
  const files: PolicyFile[] = [];
  // A file that two entries name counts once.
  const seen = new Set<string>();
  const problems: PathProblem[] = [];
  for (const [index, written] of enforce.entries()) {
    const path = ["policies", key, index];
    const found = listFiles(resolve(folder, written));
    if ("message" in found) {
      problems.push({ path, message: `"${written}" ${found.message}`, remedy: found.remedy });
      continue;
    }
    for (const file of found.paths) {
      const name = relative(folder, file).replaceAll("\\", "/");
      if (seen.has(name)) continue;
      seen.add(name);
      const read = readFile(file);
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

function listFiles(path: string): { readonly paths: readonly string[] } | Fault {
  const remedy = "a folder with *.cedar files, or one such file";
  let names: string[];
  try {
    if (statSync(path).isFile()) return { paths: [path] };
    names = readdirSync(path);
  } catch (error) {
    return { message: `cannot be read (${codeOf(error)})`, remedy };
  }
  const policies = names.filter((name) => name.endsWith(".cedar") && !name.startsWith("."));
  if (policies.length === 0) return { message: "holds no *.cedar file", remedy };
  if (policies.length > LIMITS.files) {
    return { message: `holds ${policies.length} files`, remedy: `at most ${LIMITS.files}` };
  }
  return { paths: policies.toSorted().map((name) => join(path, name)) };
}

function readFile(file: string): { readonly text: string } | Fault {
  const remedy = "a readable file in UTF-8";
  try {
    if (statSync(file).size > LIMITS.file) {
      return { message: "is too large", remedy: `at most ${LIMITS.file} bytes` };
    }
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readFileBytes(file)) };
  } catch (error) {
    return { message: `cannot be read (${codeOf(error)})`, remedy };
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "not UTF-8";
}

/** `sallyport policy fmt`: policy files in the form of Cedar's formatter. Never changes what they say. */
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadConfig } from "../config/load.ts";
import { ConfigError, formatProblem, type Problem, SallyportError } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import { replaceFile } from "../platform/replace-file.ts";
import { formatPolicies } from "../policy/compile-policies.ts";
import type { PolicyFile } from "../policy/policy-source.ts";

export interface FmtOptions {
  readonly config: string;
  /** Write nothing; the answer is no where a file has another form. */
  readonly check: boolean;
}

/**
 * Files and folders of `*.cedar` files; those of the configuration where none is named. 0: all have the
 * form now, or had it; 1: one has not (`check`), or cannot be given it. A file is replaced as a whole.
 */
export async function policyFmt(
  named: readonly string[],
  { config, check }: FmtOptions,
): Promise<number> {
  const paths = named.length > 0 ? named.flatMap(filesOf) : await configured(config);
  const files = paths.map(readPolicies);
  const results = await formatPolicies(files);
  const problems: Problem[] = [];
  let other = 0;
  for (const [index, { text, problems: refused }] of results.entries()) {
    const file = files[index];
    if (file === undefined) throw new TypeError("a result belongs to no file");
    problems.push(...refused);
    if (text === undefined || text === file.text) continue;
    other += 1;
    console.log(file.name);
    if (!check) replaceFile(file.name, text);
  }
  for (const problem of problems) console.error(formatProblem(problem));
  return problems.length > 0 || (check && other > 0) ? 1 : 0;
}

async function configured(config: string): Promise<readonly string[]> {
  const { policyFiles, bundle } = await loadConfig(config);
  if (bundle !== undefined) {
    const message = "its policies came over the feed";
    throw new ConfigError([{ file: config, message, remedy: "name files, or ask the authority" }]);
  }
  const folder = dirname(config);
  return policyFiles
    .filter(({ name }) => name.endsWith(".cedar"))
    .map(({ name }) => join(folder, name));
}

/** A folder's own `*.cedar` files, as the configuration takes them. */
function filesOf(path: string): readonly string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  const names = readdirSync(path).filter((one) => one.endsWith(".cedar") && !one.startsWith("."));
  if (names.length === 0) throw new SallyportError("io-failed", `${path} holds no *.cedar file`);
  return names.toSorted().map((name) => join(path, name));
}

function readPolicies(name: string): PolicyFile {
  let bytes: Buffer;
  try {
    bytes = readFileBytes(name);
  } catch (error) {
    const { code = "unreadable" } = error as NodeJS.ErrnoException;
    throw new SallyportError("io-failed", `${name} cannot be read (${code})`, { cause: error });
  }
  try {
    // What is not UTF-8 would be written back as something else; a byte order mark stays.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { name, text };
  } catch (error) {
    throw new SallyportError("io-failed", `${name} is not UTF-8`, { cause: error });
  }
}

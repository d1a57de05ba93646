/**
 * Reads `sallyport.yaml` into one frozen value, or says everything that is wrong with it at once.
 *
 * Order: YAML, then expressions, then each part against its schema, then what holds between parts.
 * A later step runs on what the earlier ones left valid. Policies are read here; whether they parse
 * and validate is asked by `checkConfig` and by whoever compiles them.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError, type Problem } from "../model/errors.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { readFileBytes } from "../platform/files.ts";
import { checkAddresses } from "./check-addresses.ts";
import { checkAttributes } from "./check-attributes.ts";
import { checkAuthenticators } from "./check-authenticators.ts";
import { checkCredentialFiles, checkKeyFiles, checkSecretFiles } from "./check-files.ts";
import { checkLimits } from "./check-limits.ts";
import { checkNames } from "./check-names.ts";
import { checkReferences } from "./check-references.ts";
import { checkRoutes } from "./check-routes.ts";
import { checkServices } from "./check-services.ts";
import { checkTemplates } from "./check-templates.ts";
import { checkTlsFiles, checkTlsWarnings } from "./check-tls.ts";
import { createDraft } from "./draft.ts";
import { expand } from "./expand.ts";
import type { PathProblem } from "./issues.ts";
import { lineIndex, locate, type Place } from "./place.ts";
import { type PolicyFile, readPolicyFiles } from "./policy-files.ts";
import { deepFreeze, resolvePaths } from "./resolve-paths.ts";
import type { Config } from "./schema.ts";
import { isTemplated } from "./templated.ts";
import { createVocabulary } from "./vocabulary.ts";
import { parseYaml } from "./yaml.ts";

const LIMITS = {
  /** Bytes of the file: 30 000 routes. */
  file: 16 * 1024 * 1024,
} as const;

export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly file: string;
  /** Frozen; its paths are absolute. */
  readonly config: Config;
  readonly vocabulary: Vocabulary;
  readonly policyFiles: readonly PolicyFile[];
  /** Findings that do not keep it from running: secrets that others can read. */
  readonly warnings: readonly Problem[];
  /**
   * `sha256-<base64url>` over the configuration as it is written and the policies. Expanded values
   * take no part, so that nobody can guess a weak secret from it.
   */
  readonly hash: string;
}

/** What the outside is, so that a test can turn it. */
export interface LoadSources {
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Inspection {
  /** Undefined when there are problems. */
  readonly loaded: LoadedConfig | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Reads and validates `file`. Throws ConfigError with every problem, each at its line. */
export async function loadConfig(
  file: string,
  sources: LoadSources = process,
): Promise<LoadedConfig> {
  const { loaded, problems } = await inspectConfig(file, sources);
  if (loaded === undefined) throw new ConfigError(problems);
  return loaded;
}

/** The same without throwing for what is wrong inside the file. Throws ConfigError when it cannot be read. */
export async function inspectConfig(
  file: string,
  sources: LoadSources = process,
): Promise<Inspection> {
  const path = resolve(file);
  const folder = dirname(path);
  const text = readText(path, file);
  const document = parseYaml(text);
  const at = lineIndex(text);
  if (document.problems.length > 0) {
    const problems = document.problems.map(({ offset, message, remedy }) =>
      problem({ file, ...at(offset), message, remedy }),
    );
    return { loaded: undefined, problems: sorted(problems), warnings: [] };
  }
  const expansion = expand(document.value, {
    env: sources.env,
    readFile: (name) => readFileBytes(resolve(folder, name)).toString("utf8"),
    isTemplated,
  });
  const { draft, problems } = createDraft(expansion.value, expansion.written);
  const policies = readPolicyFiles(draft.policies?.enforce ?? [], folder);
  const judged = [
    ...problems,
    ...checkNames(draft),
    ...checkReferences(draft),
    ...checkAddresses(draft),
    ...checkRoutes(draft),
    ...checkServices(draft),
    ...checkLimits(draft),
    ...checkAuthenticators(draft),
    ...checkAttributes(draft),
    ...checkTemplates(draft),
    ...checkKeyFiles(draft, folder),
    ...checkCredentialFiles(draft, folder),
    ...checkTlsFiles(draft, folder),
    ...policies.problems,
  ];
  const found = [...withoutUnexpanded(judged, expansion.problems), ...expansion.problems];
  const place = (all: readonly PathProblem[]): Problem[] =>
    sorted(
      all.map((one) => ({
        ...toProblem(one, { file, root: document.place, at, redact: expansion.redact }),
      })),
    );
  const warnings = place([
    ...checkSecretFiles(draft, expansion, folder),
    ...checkTlsWarnings(draft, folder),
  ]);
  if (found.length > 0 || draft.config === undefined) {
    return { loaded: undefined, problems: place(found), warnings };
  }
  const config = deepFreeze(resolvePaths(draft.config, folder));
  const loaded = deepFreeze({
    file: path,
    config,
    vocabulary: createVocabulary(config),
    policyFiles: policies.files,
    warnings,
    hash: hashOf([{ name: "", text }, ...policies.files]),
  });
  return { loaded, problems: [], warnings };
}

function readText(path: string, named: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    const message = `the configuration cannot be read (${code})`;
    const remedy = "name one with -c, or write one with sallyport init";
    throw new ConfigError([{ file: named, message, remedy }], { cause: error });
  }
  if (bytes.length > LIMITS.file) {
    throw new ConfigError([{ file: named, message: `it is larger than ${LIMITS.file} bytes` }]);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError([{ file: named, message: "it is not UTF-8" }], { cause: error });
  }
}

/** Where an expression failed, what is left of the text deserves no judgement. */
function withoutUnexpanded(
  problems: readonly PathProblem[],
  unexpanded: readonly PathProblem[],
): PathProblem[] {
  const failed = new Set(unexpanded.map(({ path }) => JSON.stringify(path)));
  return problems.filter(({ path }) => !failed.has(JSON.stringify(path)));
}

function toProblem(
  { path, message, remedy }: PathProblem,
  context: {
    readonly file: string;
    readonly root: Place;
    readonly at: (offset: number) => { line: number; column: number };
    readonly redact: (text: string) => string;
  },
): Problem {
  return problem({
    file: context.file,
    ...context.at(locate(context.root, path)),
    message: context.redact(message),
    remedy: remedy === undefined ? undefined : context.redact(remedy),
  });
}

function problem(
  found: Omit<Problem, "remedy"> & { readonly remedy?: string | undefined },
): Problem {
  const { remedy, ...rest } = found;
  return remedy === undefined ? rest : { ...rest, remedy };
}

/** In the order of the file. */
function sorted(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

function hashOf(files: readonly PolicyFile[]): string {
  const hash = createHash("sha256");
  // Lengths in front, so that no two lists of files have the same bytes.
  for (const { name, text } of files)
    hash.update(`${name.length}:${name}${text.length}:`).update(text);
  return `sha256-${hash.digest("base64url")}`;
}

/**
 * Reads `sallyport.yaml` into one frozen value, or says everything that is wrong with it at once. The
 * file of a proxy that follows a feed is read together with the bundle that came over it; without one,
 * what the file itself says is looked at.
 *
 * Order: YAML, then expressions, then each part against its schema, then what holds between parts.
 * A later step runs on what the earlier ones left valid. Policies are read here; whether they parse
 * and validate is asked by `checkConfig` and by whoever compiles them.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { FollowerOptions } from "../authority/authority-options.ts";
import { ConfigError, type Problem, SallyportError } from "../model/errors.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { readFileBytes } from "../platform/files.ts";
import { checkAddresses } from "./check-addresses.ts";
import { checkAttributes } from "./check-attributes.ts";
import { checkAuthority, checkAuthorityWarnings } from "./check-authority.ts";
import { checkAuthenticators } from "./check-authenticators.ts";
import { checkCredentialFiles, checkKeyFiles, checkSecretFiles } from "./check-files.ts";
import { checkLimits } from "./check-limits.ts";
import { checkNames } from "./check-names.ts";
import { checkReferences } from "./check-references.ts";
import { checkRoutes } from "./check-routes.ts";
import { checkServices } from "./check-services.ts";
import { checkTemplates } from "./check-templates.ts";
import { checkTlsFiles, checkTlsWarnings } from "./check-tls.ts";
import { composed, followsFeed, isPublished, misplacedKeys, ownParts, WORDS } from "./compose.ts";
import { createDraft } from "./draft.ts";
import { expand } from "./expand.ts";
import type { PathProblem } from "./issues.ts";
import { lineIndex, locate, type Place } from "./place.ts";
import { type PolicyFile, readPolicyFiles } from "./policy-files.ts";
import { publish, type PublishedBundle } from "./publish.ts";
import { deepFreeze, resolveOwnPaths, resolvePaths } from "./resolve-paths.ts";
import type { Config, OwnConfig } from "./schema.ts";
import { isTemplated } from "./templated.ts";
import { readUnpacked, type UnpackedBundle } from "./unpack-bundle.ts";
import { createVocabulary, NO_WORDS, type Words } from "./vocabulary.ts";
import { readWords } from "./words.ts";
import { pathText } from "./written.ts";
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
  /** Hash of the bundle that it was composed with; undefined where no feed is followed. */
  readonly bundle: string | undefined;
  /** What it publishes to proxies, in the order of `authority.proxies`. */
  readonly published: readonly PublishedBundle[];
  /** Findings that do not keep it from running: secrets that others can read. */
  readonly warnings: readonly Problem[];
  /**
   * `sha256-<base64url>` over the configuration as it is written and the policies, or the bundle in
   * which they came. Expanded values take no part, so that nobody can guess a weak secret from it.
   */
  readonly hash: string;
}

/** A follower's own file by itself. */
export interface LoadedOwn {
  /** Absolute path of the file. */
  readonly file: string;
  /** Frozen; its paths are absolute. */
  readonly config: OwnConfig & { readonly authority: FollowerOptions };
  readonly warnings: readonly Problem[];
}

/** What the outside is, so that a test can turn it. */
export interface LoadSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of the bundle that a follower is to run (`unpackBundle` gives it). */
  readonly bundle?: string | undefined;
}

export interface Inspection {
  /** Undefined when there are problems, and for a follower's file without a bundle. */
  readonly loaded: LoadedConfig | undefined;
  /** A follower's file without a bundle, when there are no problems. */
  readonly own?: LoadedOwn | undefined;
  /** What policies may speak of beside the configuration. */
  readonly words?: Words | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Reads and validates `file`. Throws ConfigError with every problem, each at its line. */
export async function loadConfig(
  file: string,
  sources: LoadSources = process,
): Promise<LoadedConfig> {
  const { loaded, own, problems } = await inspectConfig(file, sources);
  if (loaded !== undefined) return loaded;
  throw new ConfigError(own === undefined ? problems : [withoutBundle(file)]);
}

/**
 * What the file of a follower says by itself; undefined where it is not one's. Throws ConfigError with
 * every problem.
 */
export async function loadOwn(
  file: string,
  { env }: Pick<LoadSources, "env"> = process,
): Promise<LoadedOwn | undefined> {
  const document = parseYaml(readText(resolve(file), file));
  if (document.problems.length === 0 && !followsFeed(document.value)) return undefined;
  const { own, problems } = await inspectConfig(file, { env });
  if (own === undefined) throw new ConfigError(problems);
  return own;
}

/** What is said of a follower's file where a whole configuration is needed. */
export function withoutBundle(file: string): Problem {
  const message = "its services, routes and policies come over the feed";
  return { file, message, remedy: "ask at the authority, whose configuration has them" };
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
  const follows = followsFeed(document.value);
  const bundle =
    follows && sources.bundle !== undefined ? readBundle(sources.bundle, file) : undefined;
  const ownOnly = follows && bundle === undefined;
  const written = writtenValue(document.value, follows, bundle);
  const reading = {
    env: sources.env,
    readFile: (name: string) => readFileBytes(resolve(folder, name)).toString("utf8"),
    isTemplated,
  };
  const expansion = expand(written, reading);
  const { draft, problems } = createDraft(expansion.value, expansion.written, { ownOnly });
  const policies =
    bundle === undefined
      ? readPolicyFiles(draft.policies?.enforce ?? [], folder)
      : { files: bundle.content.policies, problems: [] };
  const beside = expand(bundle?.content.words ?? NO_WORDS, reading, [WORDS]);
  const words = readWords(beside.value, { base: [WORDS], written: beside.written });
  const judged = [
    ...(follows ? misplacedKeys(document.value) : []),
    ...problems,
    ...checkNames(draft),
    ...(ownOnly ? [] : checkReferences(draft)),
    ...checkAddresses(draft),
    ...checkAuthority(draft, expansion.value),
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
    ...words.problems,
  ];
  const unexpanded = [...expansion.problems, ...beside.problems];
  const found = [...withoutUnexpanded(judged, unexpanded), ...unexpanded];
  const redact = (prose: string): string => beside.redact(expansion.redact(prose));
  const place = (all: readonly PathProblem[]): Problem[] =>
    sorted(
      all.map((one) =>
        bundle !== undefined && isPublished(one.path)
          ? problemInBundle(one, { hash: bundle.hash, redact })
          : toProblem(one, { file, root: document.place, at, redact }),
      ),
    );
  const warnings = place([
    ...checkSecretFiles(draft, expansion, folder),
    ...checkTlsWarnings(draft, folder),
    ...checkAuthorityWarnings(draft),
  ]);
  if (found.length > 0) return { loaded: undefined, problems: place(found), warnings };
  if (draft.own !== undefined) {
    const config = resolveOwnPaths(draft.own, folder) as LoadedOwn["config"];
    const own = deepFreeze({ file: path, config, warnings });
    return { loaded: undefined, own, problems: [], warnings };
  }
  if (draft.config === undefined) throw new TypeError("nothing is wrong, and nothing was read");
  const publishing = publish({
    written,
    config: draft.config,
    policyFiles: policies.files,
    folder,
  });
  if (publishing.problems.length > 0) {
    return { loaded: undefined, problems: place(publishing.problems), warnings };
  }
  const config = deepFreeze(resolvePaths(draft.config, folder));
  const loaded = deepFreeze({
    file: path,
    config,
    vocabulary: createVocabulary(config, words.words),
    policyFiles: policies.files,
    bundle: bundle?.hash,
    published: publishing.published,
    warnings,
    hash:
      bundle === undefined
        ? hashOf([{ name: "", text }, ...policies.files])
        : hashOf([
            { name: "", text },
            { name: "bundle", text: bundle.hash },
          ]),
  });
  return { loaded, words: words.words, problems: [], warnings };
}

function readBundle(folder: string, file: string): UnpackedBundle {
  try {
    return readUnpacked(folder);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const remedy = "remove that folder; the bundle is then fetched again";
    throw new ConfigError([{ file, message: error.message, remedy }], { cause: error });
  }
}

/** The document as it is to be expanded. */
function writtenValue(own: unknown, follows: boolean, bundle: UnpackedBundle | undefined): unknown {
  if (bundle !== undefined) return composed(own, bundle);
  return follows ? ownParts(own) : own;
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

/** A bundle has no lines; its parts have names. */
function problemInBundle(
  { path, message, remedy }: PathProblem,
  { hash, redact }: { readonly hash: string; readonly redact: (text: string) => string },
): Problem {
  return problem({
    file: `bundle ${hash}: ${pathText(path)}`,
    message: redact(message),
    remedy: remedy === undefined ? undefined : redact(remedy),
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

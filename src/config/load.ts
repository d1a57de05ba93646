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
import { dirname, join, resolve } from "node:path";
import type { FollowerOptions, IssuingOptions } from "../authority/authority-options.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { readFileBytes } from "../platform/files.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import { WORDS } from "./compose.ts";
import { isPublisherOnly, isServed } from "./check-authority.ts";
import { withClientRoles } from "./client-words.ts";
import { type Descriptions, readDescriptions, type ReadDescriptions } from "./descriptions.ts";
import { createDraft, type Draft } from "./draft.ts";
import type { WrittenFacts } from "../policy/findings/subject.ts";
import { findingFacts } from "./finding-facts.ts";
import { expand, type ExpandSources, type Expansion } from "./expand.ts";
import { findProblems, findWarnings, type Subject } from "./find-problems.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { type Path, pathKey } from "../wire/document/place.ts";
import { withOwnIssuer } from "./own-issuer.ts";
import { readPolicies, readShadowFiles } from "./policy-files.ts";
import { gatherTests, type PolicyTests } from "./policy-tests.ts";
import { publish, type PublishedBundle } from "./publish.ts";
import { type ConfigSource, isFollowersFile, readSource } from "./read-source.ts";
import { deepFreeze, resolveOwnPaths, resolvePaths } from "./resolve-paths.ts";
import type { Config, OwnConfig } from "./schema.ts";
import { SIDECAR_POLICIES } from "./sidecar.ts";
import { shownConfig } from "./shown-config.ts";
import { isTemplated } from "./templated.ts";
import { createVocabulary, NO_WORDS, onlyWords, withOperations, type Words } from "./vocabulary.ts";
import { readWords } from "./words.ts";

export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly file: string;
  /** Frozen; its paths are absolute. */
  readonly config: Config;
  readonly vocabulary: Vocabulary;
  /** What services say of their operations, by name. */
  readonly descriptions: Descriptions;
  readonly policyFiles: readonly PolicyFile[];
  /** The candidate set that is asked beside them, with the same data; undefined where there is none. */
  readonly shadowFiles: readonly PolicyFile[] | undefined;
  /** What its policies are held against before they are in force; undefined where it names no tests. */
  readonly tests?: PolicyTests | undefined;
  /** Hash of the bundle that it was composed with; undefined where no feed is followed. */
  readonly bundle: string | undefined;
  /** In a worker, whose configuration says nothing of the authority: what issuing keys needs of it. */
  readonly issuing?: IssuingOptions | undefined;
  /** What it publishes to proxies, in the order of `authority.proxies`. */
  readonly published: readonly PublishedBundle[];
  /** Findings that do not keep it from running: secrets that others can read. */
  readonly warnings: readonly Problem[];
  /**
   * `sha256-<base64url>` over the configuration as it is written and the policies, or the bundle in
   * which they came. Expanded values take no part, so that nobody can guess a weak secret from it.
   */
  readonly hash: string;
  /** As an operator may see it (`shownConfig`), as JSON text: it costs little to hand on. */
  readonly shown: string;
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
  /** Stands for what is in the file: to ask about what could stand there. */
  readonly text?: string | undefined;
  /** What is asked about is to run on another machine, which has the secrets of services. */
  readonly secretsElsewhere?: boolean | undefined;
}

export interface Inspection {
  /** Undefined when there are problems, and for a follower's file without a bundle. */
  readonly loaded: LoadedConfig | undefined;
  /** A follower's file without a bundle, when there are no problems. */
  readonly own?: LoadedOwn | undefined;
  /** What policies may speak of beside the configuration. */
  readonly words?: Words | undefined;
  /** What findings ask about; none where it came over the feed, and can be mended elsewhere only. */
  readonly facts?: (() => WrittenFacts) | undefined;
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
 * What `loadConfigInThread` gives, in the thread of the caller: a process that starts has loaded what
 * reads a configuration already, and a thread that loads it too takes a fifth of the CPU of a start.
 */
export async function loadConfigHere(file: string, sources: LoadSources): Promise<LoadedConfig> {
  const { loaded, own, problems, warnings } = await inspectConfig(file, sources);
  if (loaded !== undefined) return loaded;
  throw new ConfigError([...(own === undefined ? problems : [withoutBundle(file)]), ...warnings]);
}

/**
 * What the file of a follower says by itself; undefined where it is not one's, whatever is wrong with it
 * then. Throws ConfigError with every problem.
 */
export async function loadOwn(
  file: string,
  { env }: Pick<LoadSources, "env"> = process,
): Promise<LoadedOwn | undefined> {
  if (!isFollowersFile(file)) return undefined;
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
  const source = readSource(file, sources);
  if ("problems" in source) {
    return { loaded: undefined, problems: sorted(source.problems), warnings: [] };
  }
  const secretsElsewhere = isPublisherOnly(source.written) || sources.secretsElsewhere === true;
  const parts = readParts(source, { env: sources.env, secretsElsewhere });
  const { draft, expansion } = parts;
  const place = createPlacing(source, parts);
  const subject: Subject = {
    draft,
    expansion,
    folder: source.folder,
    ownOnly: source.ownOnly,
    sidecar: source.sidecar,
    composed: source.bundle !== undefined,
    secretsElsewhere,
    env: sources.env,
  };
  const found = withoutUnexpanded([...parts.problems, ...(await findProblems(subject))], {
    unexpanded: [...expansion.problems, ...parts.spoken.problems],
    secretsElsewhere,
  });
  // As the person who asks would name them.
  const named = (problem: Problem): Problem => ({
    ...problem,
    file: join(dirname(file), problem.file ?? ""),
  });
  const problems = [
    ...sorted([...source.misplaced, ...place(found)]),
    ...parts.described.placed.map(named),
  ];
  const warnings = sorted(place(findWarnings(subject)));
  if (problems.length > 0) return { loaded: undefined, problems, warnings };
  return source.ownOnly
    ? concludeOwn(source, draft, warnings)
    : concludeWhole(source, parts, { place, warnings });
}

interface Parts {
  readonly expansion: Expansion;
  readonly draft: Draft;
  readonly policyFiles: readonly PolicyFile[];
  readonly shadowFiles: readonly PolicyFile[] | undefined;
  readonly testFiles: readonly PolicyFile[];
  readonly described: ReadDescriptions;
  /** Of the words that came with a bundle. */
  readonly spoken: Expansion;
  readonly words: Words;
  readonly problems: readonly PathProblem[];
}

/** Expands, and holds each part against its schema. */
function readParts(
  { written, bundle, ownOnly, sidecar, folder }: ConfigSource,
  { env, secretsElsewhere }: Pick<Subject, "env" | "secretsElsewhere">,
): Parts {
  const reading: ExpandSources = {
    env,
    readFile: (name) => readFileBytes(resolve(folder, name)).toString("utf8"),
    isTemplated,
    ...(secretsElsewhere ? { standIn } : {}),
  };
  const expansion = expand(written, reading);
  const whole = withOwnIssuer(expansion.value);
  const { draft, problems } = createDraft(whole, expansion.written, { ownOnly });
  const policies =
    bundle === undefined
      ? sidecar
        ? SIDECAR_POLICIES
        : readPolicies(draft.policies, folder)
      : // What came over the feed was tested at the authority, whose words are more than a proxy's.
        { files: bundle.content.policies, tests: [], problems: [] };
  const shadow =
    bundle === undefined
      ? readShadowFiles(draft.policies?.shadow, folder)
      : { files: bundle.content.shadow, problems: [] };
  const described = readDescriptions(draft, folder);
  const spoken = expand(bundle?.content.words ?? NO_WORDS, reading, [WORDS]);
  const beside = readWords(spoken.value, { base: [WORDS], written: spoken.written });
  return {
    expansion,
    draft,
    policyFiles: policies.files,
    shadowFiles: shadow.files,
    testFiles: policies.tests,
    described,
    spoken,
    words: beside.words,
    problems: [
      ...problems,
      ...policies.problems,
      ...shadow.problems,
      ...described.problems,
      ...beside.problems,
    ],
  };
}

function concludeOwn(
  { path, folder }: ConfigSource,
  draft: Draft,
  warnings: readonly Problem[],
): Inspection {
  if (draft.own === undefined) throw new TypeError("nothing is wrong, and nothing was read");
  const config = resolveOwnPaths(draft.own, folder) as LoadedOwn["config"];
  const own = deepFreeze({ file: path, config, warnings });
  return { loaded: undefined, own, problems: [], warnings };
}

/** The last step can find something wrong as well: what is to be published is read here. */
function concludeWhole(
  source: ConfigSource,
  { draft, policyFiles, shadowFiles, testFiles, described, words: beside }: Parts,
  { place, warnings }: { readonly place: Placing; readonly warnings: readonly Problem[] },
): Inspection {
  const { written, folder, bundle } = source;
  if (draft.config === undefined) throw new TypeError("nothing is wrong, and nothing was read");
  const { published, problems } = publish({
    written,
    config: draft.config,
    policyFiles,
    shadowFiles,
    descriptions: described.descriptions,
    folder,
  });
  if (problems.length > 0)
    return { loaded: undefined, problems: sorted(place(problems)), warnings };
  const whole = withClientRoles(resolvePaths(draft.config, folder));
  const { config, words } = isPublisherOnly(written)
    ? withoutServing(whole, described.descriptions)
    : { config: whole, words: beside };
  const loaded = deepFreeze({
    file: source.path,
    config,
    vocabulary: createVocabulary(config, described.descriptions, words),
    descriptions: described.descriptions,
    policyFiles,
    shadowFiles: withSameData(shadowFiles, policyFiles),
    // Of the whole: an authority alone serves none of the routes that its tests are about.
    tests: gatherTests(whole, testFiles),
    bundle: bundle?.hash,
    published,
    warnings,
    hash: hashOf(source, [...policyFiles, ...(shadowFiles ?? []), ...described.files]),
    shown: JSON.stringify(shownConfig(written)),
  });
  const all = draft.config;
  const ours = bundle === undefined && !source.sidecar;
  const facts = ours ? () => findingFacts(all, source.place) : undefined;
  return { loaded, words, facts, problems: [], warnings };
}

/** A candidate is other policies about the same entities. */
function withSameData(
  shadowFiles: readonly PolicyFile[] | undefined,
  policyFiles: readonly PolicyFile[],
): readonly PolicyFile[] | undefined {
  if (shadowFiles === undefined) return undefined;
  return [...shadowFiles, ...policyFiles.filter(({ name }) => !name.endsWith(".cedar"))];
}

/**
 * Where an expression failed, what is left of the text deserves no judgement. With `secretsElsewhere`,
 * what expressions in services and routes stand for is the proxies' own: only where what is written
 * could not be judged without the value, it is asked for here too.
 */
function withoutUnexpanded(
  judged: readonly PathProblem[],
  {
    unexpanded,
    secretsElsewhere,
  }: { readonly unexpanded: readonly PathProblem[]; readonly secretsElsewhere: boolean },
): PathProblem[] {
  const keys = (problems: readonly PathProblem[]): ReadonlySet<string> =>
    new Set(problems.map(({ path }) => pathKey(path)));
  const [failed, faulty] = [keys(unexpanded), keys(judged)];
  return [
    ...judged.filter(({ path }) => !failed.has(pathKey(path))),
    ...unexpanded.filter(
      ({ path }) => !secretsElsewhere || !isServed(path) || faulty.has(pathKey(path)),
    ),
  ];
}

/** Fits where any text does; what it does not fit is asked for. */
function standIn(path: Path): string {
  return isServed(path) ? "x" : "";
}

/** An authority that serves no callers runs no service and no route: it has words for policies, and what it publishes. */
function withoutServing(
  config: Config,
  descriptions: Descriptions,
): { readonly config: Config; readonly words: Words } {
  const { services, routes } = config;
  const described = withOperations(services, descriptions);
  const words = { authenticators: {}, services: described, routes };
  return { config: { ...config, services: {}, routes: [] }, words: onlyWords(words) };
}

type Placing = (problems: readonly PathProblem[]) => Problem[];

/** Says where each problem is, without what an expression stands for. */
function createPlacing(
  source: ConfigSource,
  { expansion, spoken }: Pick<Parts, "expansion" | "spoken">,
): Placing {
  const redact = (text: string): string => spoken.redact(expansion.redact(text));
  return (problems) =>
    problems.map(({ path, message, remedy }) => ({
      ...source.place(path),
      message: redact(message),
      ...(remedy === undefined ? {} : { remedy: redact(remedy) }),
    }));
}

/** In the order of the file; what came in a bundle before it. */
function sorted(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

function hashOf({ text, bundle }: ConfigSource, policyFiles: readonly PolicyFile[]): string {
  const others = bundle === undefined ? policyFiles : [{ name: "bundle", text: bundle.hash }];
  const hash = createHash("sha256");
  // Lengths in front, so that no two lists of files have the same bytes.
  for (const { name, text: content } of [{ name: "", text }, ...others])
    hash.update(`${name.length}:${name}${content.length}:`).update(content);
  return `sha256-${hash.digest("base64url")}`;
}

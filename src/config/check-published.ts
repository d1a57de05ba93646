/**
 * Whether each group of proxies can load what is to be published to it, found before it is published:
 * every bundle is unpacked and composed with a least file of a proxy, as a proxy would do it, as far
 * as that can be said without its secrets.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatProblem, type Problem } from "../model/errors.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { verifyPolicies } from "../policy/compile-policies.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import { buildSchema } from "../policy/load/schema.ts";
import { inspectConfig, type LoadedConfig, type LoadSources } from "./load.ts";
import { unpackBundle } from "./unpack-bundle.ts";
import { isMapping } from "../wire/document/written.ts";

/** Nothing of it can be wrong. */
const LEAST = `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0" }]
authority: { feed: [https://authority.invalid], identity: data/identity }
audit: { path: data/audit }
`;

/** `file` is the authority's, as the user named it. Problems say for whom. */
export async function checkPublished(
  file: string,
  loaded: LoadedConfig,
  sources: LoadSources,
): Promise<Problem[]> {
  if (loaded.published.length === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), "sallyport-check-"));
  try {
    const problems: Problem[] = [];
    const seen = new Set<string>();
    for (const { name, services, bundle } of loaded.published) {
      // Of nothing, nothing can be wrong.
      if (services !== "all" && services.length === 0) continue;
      if (seen.has(bundle.hash)) continue;
      seen.add(bundle.hash);
      const unpacked = await unpackBundle(bundle, { folder });
      const found = await problemsOf(file, { loaded, bundle: unpacked, sources });
      const whom = `proxies called "${name}" could not load what they get`;
      for (const one of found) problems.push({ file, message: `${whom}: ${formatProblem(one)}` });
    }
    return problems;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function problemsOf(
  file: string,
  given: {
    readonly loaded: LoadedConfig;
    readonly bundle: string;
    readonly sources: LoadSources;
  },
): Promise<readonly Problem[]> {
  const { env } = given.sources;
  const { bundle, loaded: authority } = given;
  const { loaded, problems } = await inspectConfig(file, {
    env,
    bundle,
    text: LEAST,
    secretsElsewhere: true,
  });
  if (loaded === undefined) return problems;
  // The words say the same, as they should: then so does every answer about the policies.
  if (saysTheSame(loaded.vocabulary, authority.vocabulary)) return [];
  const { policyFiles, shadowFiles, vocabulary } = loaded;
  const problemsIn = async (files: readonly PolicyFile[]): Promise<readonly Problem[]> =>
    (await verifyPolicies({ files, vocabulary })).problems ?? [];
  return [
    ...(await problemsIn(policyFiles)),
    ...(shadowFiles === undefined ? [] : await problemsIn(shadowFiles)),
  ];
}

/** Routes that no policy names are left out of what a proxy gets, where the schema does not change by it. */
export function saysTheSame(one: Vocabulary, other: Vocabulary): boolean {
  return meaningOf(one) === meaningOf(other);
}

function meaningOf(vocabulary: Vocabulary): string {
  const { authenticators, services } = vocabulary;
  return JSON.stringify(
    [inOrder(authenticators), inOrder(services), buildSchema(vocabulary)],
    plain,
  );
}

function inOrder<T extends { readonly name: string }>(words: readonly T[]): T[] {
  return words.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The same text for the same value, whatever the order of its keys. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

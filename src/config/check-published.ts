/**
 * Whether each group of proxies can load what is to be published to it, found before it is published:
 * every bundle is unpacked and composed with a least file of a proxy, as a proxy would do it, with the
 * files and variables of this machine.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatProblem, type Problem } from "../model/errors.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { verifyPolicies } from "../policy/compile-policies.ts";
import { inspectConfig, type LoadedConfig, type LoadSources } from "./load.ts";
import { unpackBundle } from "./unpack-bundle.ts";

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
    for (const { name, bundle } of loaded.published) {
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
  const { loaded, problems } = await inspectConfig(file, { env, bundle, text: LEAST });
  if (loaded === undefined) return problems;
  // The words are the same, as they should be: then so is every answer about the policies.
  if (wordsText(loaded.vocabulary) === wordsText(authority.vocabulary)) return [];
  const { policyFiles: files, vocabulary } = loaded;
  const result = await verifyPolicies({ files, vocabulary });
  return result.problems ?? [];
}

function wordsText(vocabulary: Vocabulary): string {
  const exact = (_name: string, value: unknown): unknown =>
    typeof value === "bigint" ? `${String(value)}n` : value;
  const sorted = Object.entries(vocabulary).map(([kind, words]) => [
    kind,
    Array.isArray(words) ? words.map((word) => JSON.stringify(word, exact)).toSorted() : words,
  ]);
  return JSON.stringify(sorted, exact);
}

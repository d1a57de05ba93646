/** What lies beside an audit log and tells more of its records: the key of the hashed values, and policies of then. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { readValueKey } from "../audit/folder.ts";
import { createValueHash, type ValueHash } from "../audit/value-hash.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { keptBundlesFolder, readKeptBundle } from "../policy/bundle/kept-bundles.ts";

export interface LogPast {
  /** Undefined where the key is not there: then what was hashed stays unknown. */
  readonly hash: ValueHash | undefined;
  /** The words of the policies of a hash; undefined where they are not kept. */
  readonly vocabularyOf: (bundle: string) => Vocabulary | undefined;
}

/**
 * `from` is the folder of a log, or one of its files. Throws SallyportError where the key or kept policies
 * are not what they have to be: others could read it, or somebody has changed them.
 */
export async function logPast(from: string): Promise<LogPast> {
  const isFile = statSync(from, { throwIfNoEntry: false })?.isFile() === true;
  const folder = isFile ? dirname(from) : from;
  const key = await readValueKey(folder);
  return {
    hash: key && createValueHash(key),
    vocabularyOf: (bundle) => readKeptBundle(keptBundlesFolder(folder), bundle)?.vocabulary,
  };
}

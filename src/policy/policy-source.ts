/** What policies come from: the files of a configuration and the words that it gives them. */
import type { Vocabulary } from "../model/vocabulary.ts";

export interface PolicyFile {
  /** As the user named it; problems begin with it. Its ending says what it holds: `.cedar` policies. */
  readonly name: string;
  readonly text: string;
}

export interface PolicySource {
  /** In the order in which determining policies are to be listed. */
  readonly files: readonly PolicyFile[];
  readonly vocabulary: Vocabulary;
}

/** Whether a file of a policy source holds data; all others hold policies. */
export function isDataFile(name: string): boolean {
  return /\.(?:ya?ml|json)$/.test(name);
}

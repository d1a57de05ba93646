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

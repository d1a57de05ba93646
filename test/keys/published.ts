/** What the authority publishes of its keys, as a process that follows it holds it. */
import { createKeyDirectory, type KeyDirectory } from "../../src/keys/key-directory.ts";
import type { PublishedKey } from "../../src/model/signing.ts";

export function publishing(keys: readonly PublishedKey[]): KeyDirectory {
  const directory = createKeyDirectory();
  directory.apply(keys);
  return directory;
}

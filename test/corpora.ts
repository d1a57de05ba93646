/**
 * Finds the test data of others, which lies beside the checkout and never in it. A test that wants
 * it skips, saying so, where it is absent.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const folder =
  process.env["SALLYPORT_CORPORA"] ??
  fileURLToPath(new URL("../../shared/corpora", import.meta.url));

/** The absolute path of a corpus, or undefined where it is absent. */
export function corpora(name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? path : undefined;
}

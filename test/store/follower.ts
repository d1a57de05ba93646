/** A reader who catches up by number, whatever happens to the store meanwhile. */
import { SallyportError } from "../../src/model/errors.ts";
import type { Store, StoredDocument } from "../../src/model/store.ts";

/** Everything that was seen, until the number that `last` gives has been reached. */
export async function follow(
  store: Store,
  last: () => number | undefined,
): Promise<StoredDocument[]> {
  const seen: StoredDocument[] = [];
  for (let since = 0; since !== last();) {
    try {
      const { documents, upTo, gap } = await store.changes(since, 20);
      if (gap) throw new Error("a gap");
      seen.push(...documents);
      if (upTo === since) await new Promise((resolve) => setTimeout(resolve, 2));
      since = upTo;
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== "store-unavailable") throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return seen;
}

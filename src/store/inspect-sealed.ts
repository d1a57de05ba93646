/**
 * Whether the keys at hand open what a store holds. Looks at the records that are sealed as a whole: no
 * authority starts while one of them does not open. Changes nothing.
 */
import { looksSealed, sealContext, type Sealer } from "../crypto/seal.ts";
import { SallyportError } from "../model/errors.ts";
import type { Collection, Store } from "../model/store.ts";

const SEALED_WHOLE: readonly Collection[] = ["signing-keys", "certificate-authorities", "mac-keys"];

/** A schedule leaves some dozens. */
const MOST = 10_000;

/** What does not open, and why. Rejects with SallyportError where the store does. */
export async function findUnopened(store: Store, sealer: Sealer): Promise<string[]> {
  const pages = await Promise.all(SEALED_WHOLE.map((name) => store.list(name, { limit: MOST })));
  return pages.flat().flatMap(({ collection, id, body }) => {
    const sealed = body?.["sealed"];
    if (typeof sealed !== "string" || !looksSealed(sealed)) return [];
    try {
      sealer.open(sealed, sealContext(collection, id, "sealed")).fill(0);
      return [];
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      return [error.message];
    }
  });
}

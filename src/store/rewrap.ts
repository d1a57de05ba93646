/**
 * Seals anew, under the current key, whatever a store holds that an earlier one sealed. Each document
 * is a commit of its own that expects what was read, so that authorities go on meanwhile, and doing it
 * again goes on where it ended. What does not open is left as it is, and named.
 */
import { looksSealed, sealContext, type Sealer } from "../crypto/seal.ts";
import { SallyportError } from "../model/errors.ts";
import type { JsonObject, JsonValue } from "../model/json.ts";
import { COLLECTIONS, type Store, type StoredDocument } from "../model/store.ts";

const LIMITS = {
  /** Documents read at a time. */
  page: 500,
  /** Times that one document is read again because somebody else wrote it. */
  conflicts: 10,
} as const;

export interface RewrapProgress {
  /** Documents that were looked at. */
  readonly looked: number;
  /** Documents that were sealed anew. */
  readonly rewrapped: number;
  /** What did not open, and why. */
  readonly failed: readonly { readonly place: string; readonly message: string }[];
}

/** Calls `onProgress` after each page. Rejects with SallyportError where the store does. */
export async function rewrapStore(
  store: Store,
  sealer: Sealer,
  onProgress: (progress: RewrapProgress) => void = () => undefined,
): Promise<RewrapProgress> {
  let [looked, rewrapped] = [0, 0];
  const failed: { readonly place: string; readonly message: string }[] = [];
  for (const collection of COLLECTIONS) {
    for (let after: string | undefined; ;) {
      const page = await store.list(collection, { after, limit: LIMITS.page });
      for (const document of page) {
        try {
          if (await rewrap(store, sealer, document)) rewrapped += 1;
        } catch (error) {
          if (!(error instanceof SallyportError) || error.code !== "key-encryption-failed")
            throw error;
          failed.push({ place: `${collection}/${document.id}`, message: error.message });
        }
      }
      looked += page.length;
      onProgress({ looked, rewrapped, failed });
      if (page.length < LIMITS.page) break;
      after = page.at(-1)?.id;
    }
  }
  return { looked, rewrapped, failed };
}

/** Whether there was something to do. */
async function rewrap(store: Store, sealer: Sealer, document: StoredDocument): Promise<boolean> {
  const { collection, id } = document;
  let found: StoredDocument | undefined = document;
  for (let conflicts = 0; conflicts <= LIMITS.conflicts; conflicts += 1) {
    if (found?.body === undefined) return false;
    const body = resealed(found.body, sealer, (field) => sealContext(collection, id, field));
    if (body === found.body) return false;
    const { number: expect, expiresMs } = found;
    const commit = await store.commit([{ collection, id, body, expect, expiresMs }]);
    if (commit.conflict === undefined) return true;
    found = await store.get(collection, id);
  }
  const message = `${collection}/${id} is written all the time by somebody else; try again`;
  throw new SallyportError("store-unavailable", message);
}

/** The same object where nothing in it was sealed under an earlier key. */
function resealed(
  body: JsonObject,
  sealer: Sealer,
  contextOf: (field: string) => string,
): JsonObject {
  let changed = false;
  const walk = (value: JsonValue | undefined, path: string): JsonValue | undefined => {
    if (typeof value === "string") {
      if (!looksSealed(value) || sealer.isCurrent(value)) return value;
      const plain = sealer.open(value, contextOf(path));
      changed = true;
      const again = sealer.seal(plain, contextOf(path));
      plain.fill(0);
      return again;
    }
    if (typeof value !== "object" || value === null) return value;
    const below = (name: string): string => (path === "" ? name : `${path}.${name}`);
    if (Array.isArray(value)) {
      return value.map((item, index) => walk(item, below(String(index))) ?? null);
    }
    const members = Object.entries(value).map(([name, item]) => [name, walk(item, below(name))]);
    return Object.fromEntries(members) as JsonObject;
  };
  const again = walk(body, "") as JsonObject;
  return changed ? again : body;
}

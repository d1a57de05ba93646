/**
 * Records that stand in the store as a whole under the key-encryption key (design section 5, rule
 * 14). Not only the private half: whoever can write to the database but has not that key could
 * otherwise put a public key or a root of his own among ours, and everything he signs would verify.
 */
import { sealContext, type Sealer } from "../crypto/seal.ts";
import { SallyportError } from "../model/errors.ts";
import { isJsonObject, type JsonObject, parseJsonBytes } from "../model/json.ts";
import type { StoredDocument } from "../model/store.ts";
import type { Reading, Unreadable } from "./keeper.ts";

/** What stands in the document. */
export function sealRecord(
  sealer: Sealer,
  place: Pick<StoredDocument, "collection" | "id">,
  record: JsonObject,
): JsonObject {
  const plain = Buffer.from(JSON.stringify(record));
  const body = { sealed: sealer.seal(plain, contextOf(place)) };
  plain.fill(0);
  return body;
}

/** Throws SallyportError `key-encryption-failed`, or `store-failed` where it is no record of ours. */
export function openRecord(sealer: Sealer, document: StoredDocument): JsonObject {
  const sealed = document.body?.["sealed"];
  if (typeof sealed !== "string") throw damaged(document);
  const plain = sealer.open(sealed, contextOf(document));
  try {
    const record = parseJsonBytes(plain);
    if (isJsonObject(record)) return record;
  } catch {
    // Named below; the parser's message is about what was sealed.
  } finally {
    plain.fill(0);
  }
  throw damaged(document);
}

/** Reads each; what cannot be read is told apart. Throws what is no SallyportError. */
export function readEach<R>(
  documents: readonly StoredDocument[],
  read: (document: StoredDocument) => R,
): { readonly records: readonly R[] } & Omit<Reading<unknown>, "state"> {
  const records: R[] = [];
  const unreadable: Unreadable[] = [];
  let fault: SallyportError | undefined;
  for (const document of documents) {
    try {
      records.push(read(document));
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      fault ??= error;
      unreadable.push({ id: document.id, number: document.number });
    }
  }
  return { records, unreadable, fault };
}

/** The number in an id such as `tokens.000042`; 0 where it is another kind of id. */
export function generationOf(id: string): number {
  return Number(/\.(\d{6,})$/.exec(id)?.[1] ?? 0);
}

/** The id after all of these. Two replicas that make a key at once come to the same one, and one of them loses. */
export function nextId(name: string, ids: readonly string[]): string {
  const generation = 1 + Math.max(0, ...ids.map(generationOf));
  return `${name}.${String(generation).padStart(6, "0")}`;
}

export function damaged({ collection, id }: Pick<StoredDocument, "collection" | "id">) {
  return new SallyportError("store-failed", `${collection}/${id} is not as this version writes it`);
}

function contextOf({ collection, id }: Pick<StoredDocument, "collection" | "id">): string {
  return sealContext(collection, id, "sealed");
}

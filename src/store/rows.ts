/** Documents as rows of a table: what both engines' answers are read from. */
import { isJsonObject, type JsonObject, parseJson } from "../model/json.ts";
import { SallyportError } from "../model/errors.ts";
import type { Changes, Collection, StoredDocument } from "../model/store.ts";
import { STORE_LIMITS } from "./limits.ts";

/** In the order of `COLUMNS`. */
export type Row = readonly [
  collection: string,
  id: string,
  body: string | null,
  number: number,
  timeMs: number,
  expiresMs: number | null,
];

export const COLUMNS = "collection, id, body, number, time_ms, expires_ms";

export interface ChangeRows {
  readonly rows: readonly Row[];
  readonly upTo: number;
  readonly more: boolean;
  readonly gap: boolean;
}

export function documentOf(row: Row): StoredDocument {
  const [collection, id, body, number, timeMs, expiresMs] = row;
  return {
    collection: collection as Collection,
    id,
    body: body === null ? undefined : decodeBody(body),
    number,
    timeMs,
    expiresMs: expiresMs ?? undefined,
  };
}

export function changesOf({ rows, upTo, more, gap }: ChangeRows): Changes {
  return { documents: rows.map(documentOf), upTo, more, gap };
}

function decodeBody(text: string): JsonObject {
  try {
    const value = parseJson(text, { maxDepth: STORE_LIMITS.depth });
    if (isJsonObject(value)) return value;
  } catch {
    // Said below: what does not parse is damaged as well.
  }
  throw new SallyportError("store-failed", "the store holds a document that is not JSON");
}

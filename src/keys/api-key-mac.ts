/**
 * The key under which API keys are hashed: 256 random bits, sealed in the store, made with the first API
 * key and never again. It goes to the proxies with the feed: who has it and the hashes can ask whether
 * a key that he holds is one of them, and still has 256 bits to guess.
 */
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { Sealer } from "../crypto/seal.ts";
import type { Store, StoredDocument } from "../model/store.ts";
import { damaged, openRecord, sealRecord } from "./sealed-record.ts";

/** There is one; it cannot be replaced, since nobody knows the keys that were hashed with it. */
export const API_KEY_MAC_ID = "api-keys";

const PLACE = { collection: "mac-keys", id: API_KEY_MAC_ID } as const;
const BYTES = 32;

/** base64url. Throws SallyportError `key-encryption-failed` or `store-failed`. */
export function readApiKeyMac(sealer: Sealer, document: StoredDocument): string {
  const { key } = openRecord(sealer, document);
  if (typeof key !== "string" || Buffer.from(key, "base64url").length !== BYTES) {
    throw damaged(document);
  }
  return key;
}

/** Makes it where there is none; of several authorities that do so at once, one does. */
export async function ensureApiKeyMac(store: Store, sealer: Sealer): Promise<KeyObject> {
  let document = await store.get(PLACE.collection, PLACE.id);
  if (document?.body === undefined) {
    const key = randomBytes(BYTES).toString("base64url");
    await store.commit([{ ...PLACE, body: sealRecord(sealer, PLACE, { key }), expect: "absent" }]);
    document = await store.get(PLACE.collection, PLACE.id);
  }
  if (document?.body === undefined) throw damaged(PLACE);
  return createSecretKey(readApiKeyMac(sealer, document), "base64url");
}

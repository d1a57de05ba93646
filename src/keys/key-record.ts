/**
 * One signing key as it stands in the store, and as it is used. Refuses a record in which the public
 * half, the name and the private half do not belong together.
 */
import { z } from "zod";
import { exportSigningKey, readSigningKey, type SigningKey } from "../crypto/signing-key.ts";
import { jwkThumbprint } from "../crypto/jwk.ts";
import type { Sealer } from "../crypto/seal.ts";
import type { JsonObject } from "../model/json.ts";
import { KEY_USES, type PublishedKey, SIGNING_ALGORITHMS } from "../model/signing.ts";
import type { StoredDocument } from "../model/store.ts";
import { type Scheduled, timesOf } from "./schedule.ts";
import { damaged, openRecord, sealRecord } from "./sealed-record.ts";

/** Why a key was made. */
export const KEY_CAUSES = ["first", "schedule", "asked", "emergency"] as const;
export type KeyCause = (typeof KEY_CAUSES)[number];

export interface KeyRecord extends Scheduled, PublishedKey {
  readonly id: string;
  /** Of the document; 0 for one that is not in the store yet. */
  readonly number: number;
  readonly because: KeyCause;
  /** Who asked for it, where somebody did. */
  readonly by: string | undefined;
  /** Names of the keys that an emergency put an end to. */
  readonly replaced: readonly string[];
  /** Undefined once it is erased. */
  readonly key: SigningKey | undefined;
}

const time = z.int().min(0);

const schema = z.strictObject({
  use: z.enum(KEY_USES),
  kid: z.string(),
  algorithm: z.enum(SIGNING_ALGORITHMS),
  jwk: z.record(z.string(), z.string()),
  createdMs: time,
  activeMs: time,
  nextMs: time,
  retiredMs: time,
  removedMs: time,
  because: z.enum(KEY_CAUSES),
  by: z.string().optional(),
  replaced: z.array(z.string()),
  /** PKCS #8 in base64url. */
  private: z.string().optional(),
});

/** Throws SallyportError `key-encryption-failed` or `store-failed`. */
export function readKeyRecord(sealer: Sealer, document: StoredDocument): KeyRecord {
  const parsed = schema.safeParse({ ...openRecord(sealer, document) });
  if (!parsed.success) throw damaged(document);
  const { private: secret, by, ...members } = parsed.data;
  const { kid, algorithm, jwk } = members;
  const key =
    secret === undefined ? undefined : readSigningKey(Buffer.from(secret, "base64url"), algorithm);
  if (jwkThumbprint(jwk) !== kid || (key !== undefined && key.kid !== kid)) throw damaged(document);
  const { id, number } = document;
  return { ...members, id, number, by, key, signs: key !== undefined };
}

/** The body of its document. */
export function keyRecordBody(sealer: Sealer, record: KeyRecord): JsonObject {
  const { id, use, kid, algorithm, jwk, because, by, replaced, key } = record;
  return sealRecord(
    sealer,
    { collection: "signing-keys", id },
    {
      use,
      kid,
      algorithm,
      jwk,
      ...timesOf(record),
      because,
      replaced,
      ...(by !== undefined && { by }),
      ...(key !== undefined && { private: exportSigningKey(key).toString("base64url") }),
    },
  );
}

/** What everybody may know of it. */
export function publishedKey(record: KeyRecord): PublishedKey {
  const { kid, use, algorithm, jwk, activeMs, retiredMs, removedMs } = record;
  return { kid, use, algorithm, jwk, activeMs, retiredMs, removedMs };
}

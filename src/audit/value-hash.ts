/**
 * Keyed hashes of values that policies read: a record can be joined with another, and compared with
 * a value that somebody supplies, but nobody without the key can try out values.
 *
 * A plain SHA-256 would not do: what policies read (a tenant, a country, a flag) has so few possible
 * values that all of them can be tried.
 */
import { createHmac } from "node:crypto";

const LIMITS = {
  /** Remembered hashes. The same few values come again and again, and one HMAC costs microseconds. */
  entries: 4096,
  /** Characters of a value that is remembered: bounds the memory at some megabytes. */
  remembered: 256,
  /** Bytes of the key: as many as SHA-256 gives (RFC 2104 section 3). */
  key: 32,
} as const;

/** What a hashed value was; part of what is hashed, so that a value's places cannot be joined. */
export type HashedKind =
  | "body"
  | "header"
  | "query"
  | "path"
  | "raw-query"
  | "detail"
  | "host"
  | "method"
  | "request-id";

export type ValueHash = (kind: HashedKind, name: string, value: string) => string;

/** Bytes that a key must have. */
export const VALUE_KEY_BYTES: number = LIMITS.key;

/**
 * base64url HMAC-SHA-256 over `kind`, NUL, `name`, NUL, `value` in UTF-8. Throws TypeError when the
 * key has another length than 32 bytes.
 */
export function createValueHash(key: Uint8Array): ValueHash {
  if (key.length !== LIMITS.key) throw new TypeError(`a key of ${LIMITS.key} bytes`);
  // By name first: the names are few and constant, so a hit joins no text.
  let known = new Map<string, Map<string, string>>();
  let entries = 0;
  return (kind, name, value) => {
    const place = kind === "header" ? name : `${kind} ${name}`;
    const found = known.get(place)?.get(value);
    if (found !== undefined) return found;
    const input = `${kind}\0${name}\0${value}`;
    const hash = createHmac("sha256", key).update(input, "utf8").digest("base64url");
    if (value.length > LIMITS.remembered) return hash;
    if (entries >= LIMITS.entries) {
      known = new Map();
      entries = 0;
    }
    const values = known.get(place) ?? new Map<string, string>();
    known.set(place, values.set(value, hash));
    entries += 1;
    return hash;
  };
}

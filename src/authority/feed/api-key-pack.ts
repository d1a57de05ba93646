/**
 * API keys as frames of the feed carry them: an entry is `[digest, owner, profile, created, expires]`,
 * and one more, 1, where it is revoked. Profiles stand once in the frame, and entries name them by
 * number. Times are seconds since the epoch. A million keys take some 120 MB.
 */
import {
  API_KEY_DIGEST,
  API_KEY_ID,
  API_KEY_LIMITS,
  type ApiKeyEntry,
} from "../../model/api-keys.ts";
import type { JsonObject, JsonValue } from "../../model/json.ts";

const LIMITS = {
  /** Entries of one frame: each has more than a hundred bytes, and a line 640 KB. */
  entries: 8192,
  /** The year 2106, as the table keeps it. */
  seconds: 2 ** 32 - 1,
} as const;

export interface PackedApiKeys {
  readonly apiKeys: readonly (readonly (string | number)[])[];
  readonly profiles: readonly string[];
}

export function packApiKeys(entries: readonly ApiKeyEntry[]): PackedApiKeys {
  const places = new Map<string, number>();
  const apiKeys = entries.map(({ digest, subject, profile, createdMs, expiresMs, revoked }) => {
    const place = places.get(profile) ?? places.size;
    places.set(profile, place);
    const times = [Math.floor(createdMs / 1000), Math.floor(expiresMs / 1000)];
    return [digest, subject, place, ...times, ...(revoked ? [1] : [])];
  });
  return { apiKeys, profiles: [...places.keys()] };
}

/** Undefined where it is not what `packApiKeys` makes. */
export function unpackApiKeys({ apiKeys, profiles }: JsonObject): ApiKeyEntry[] | undefined {
  if (!isList(apiKeys) || apiKeys.length > LIMITS.entries) return undefined;
  if (!isList(profiles) || profiles.length > apiKeys.length) return undefined;
  const fits = (one: JsonValue): boolean =>
    typeof one === "string" && one.length <= API_KEY_LIMITS.profile;
  if (!profiles.every(fits)) return undefined;
  const entries: ApiKeyEntry[] = [];
  for (const packed of apiKeys) {
    const entry = isList(packed) ? entryOf(packed, profiles as readonly string[]) : undefined;
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  return entries;
}

export function readApiKeyIds(
  value: JsonValue | undefined,
  limit: number,
): readonly string[] | undefined {
  if (!isList(value) || value.length > limit) return undefined;
  return value.every((id) => typeof id === "string" && API_KEY_ID.test(id))
    ? (value as readonly string[])
    : undefined;
}

function entryOf(
  packed: readonly JsonValue[],
  profiles: readonly string[],
): ApiKeyEntry | undefined {
  const [digest, subject, place, created, expires, revoked] = packed;
  if (packed.length > 6 || (revoked !== undefined && revoked !== 1)) return undefined;
  if (typeof digest !== "string" || !API_KEY_DIGEST.test(digest)) return undefined;
  if (typeof subject !== "string" || subject.length > API_KEY_LIMITS.subject) return undefined;
  const profile = typeof place === "number" ? profiles[place] : undefined;
  if (profile === undefined || !isSeconds(created) || !isSeconds(expires)) return undefined;
  const times = { createdMs: created * 1000, expiresMs: expires * 1000 };
  return { digest, subject, profile, ...times, revoked: revoked === 1 };
}

function isSeconds(value: JsonValue | undefined): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= LIMITS.seconds;
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/**
 * API keys, the mechanism: what an authority tells of each, and how the way to identify asks. How they
 * are made and kept is in `keys/`. The key itself is nowhere: only its keyed hash.
 */
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "./json.ts";

/**
 * As the feed carries it. The key is only its HMAC-SHA-256: whoever holds a list, and the MAC key with
 * it, can ask whether a key that he has is on it, and can make none.
 */
export interface ApiKeyEntry {
  /** 32 bytes in base64url (43 characters). Its first 16 bytes are the id. */
  readonly digest: string;
  /** Whose it is; the subject of its principal. */
  readonly subject: string;
  /** What it may, and of which authenticator it is: see `writeApiKeyProfile`. Many keys share one. */
  readonly profile: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revoked: boolean;
}

/** What an API key may. */
export interface ApiKeyProfile {
  /** The one authenticator that it is for. */
  readonly authenticator: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly attributes: JsonObject;
  /** Services that it may be presented to; undefined: all. */
  readonly services: readonly string[] | undefined;
}

/** One that was found by the text of the key. */
export interface KnownApiKey extends ApiKeyProfile {
  readonly id: string;
  readonly subject: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revoked: boolean;
}

/** What the way to identify asks. Synchronous. */
export interface ApiKeys {
  /** Changes whenever an answer may have. */
  readonly version: number;
  /** Undefined: it was never made here, or was removed. Two microseconds, most of which is the HMAC. */
  find(text: string): KnownApiKey | undefined;
  /** Whether what was found by this text is as it was. Half a microsecond; to be asked when `version` has changed. */
  stands(known: KnownApiKey): boolean;
  /** Whether what was found by this text is revoked now, or gone. */
  ended(known: KnownApiKey): boolean;
  /** It let somebody in. A look into a table. */
  used(id: string, nowMs: number): void;
}

/** When a key was last used. */
export interface ApiKeyUse {
  readonly id: string;
  readonly atMs: number;
}

/** Where no authority is, there is no key. */
export const NO_API_KEYS: ApiKeys = Object.freeze({
  version: 0,
  find: () => undefined,
  stands: () => false,
  ended: () => true,
  used: () => undefined,
});

/** 16 bytes in hex: it begins with no `-`, which a command line would take for an option. */
export const API_KEY_ID = /^[0-9a-f]{32}$/;

/** 32 bytes in base64url. */
export const API_KEY_DIGEST = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export const API_KEY_LIMITS = {
  /** Characters of a profile. It goes to every proxy, and many keys should share one. */
  profile: 4096,
  /** Characters of an owner. */
  subject: 256,
  /**
   * For so long an expired key is remembered, so that its holder is told what is wrong with it.
   */
  keptMs: 30 * 86_400_000,
} as const;

/** The first 16 bytes of the digest. */
export function apiKeyId(digest: string): string {
  return Buffer.from(digest, "base64url").toString("hex", 0, 16);
}

/** The same text for the same profile. */
export function writeApiKeyProfile(profile: ApiKeyProfile): string {
  const { authenticator, scopes, roles, groups, attributes, services } = profile;
  const named = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    authenticator,
    ...some("scopes", scopes),
    ...some("roles", roles),
    ...some("groups", groups),
    ...(named.length === 0 ? {} : { attributes: Object.fromEntries(named) }),
    ...(services === undefined ? {} : { services }),
  });
}

/**
 * Undefined: it cannot be read, and the key is good for nothing. A member that a later version added may
 * be what keeps its holder from something, so it must not be passed over.
 */
export function readApiKeyProfile(text: string): ApiKeyProfile | undefined {
  let value: JsonValue;
  try {
    value = parseJson(text, { maxDepth: 4 });
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { authenticator, scopes, roles, groups, attributes = {}, services, ...others } = value;
  if (typeof authenticator !== "string" || Object.keys(others).length > 0) return undefined;
  if (!isJsonObject(attributes)) return undefined;
  const lists = [scopes, roles, groups, services].map(textsOf);
  if (lists.includes("none")) return undefined;
  const [scopeList = [], roleList = [], groupList = [], serviceList] = lists as string[][];
  return Object.freeze({
    authenticator,
    scopes: Object.freeze(scopeList),
    roles: Object.freeze(roleList),
    groups: Object.freeze(groupList),
    attributes: Object.freeze(attributes),
    services: serviceList && Object.freeze(serviceList),
  });
}

function some(name: string, list: readonly string[]): Readonly<Record<string, readonly string[]>> {
  return list.length === 0 ? {} : { [name]: list };
}

function textsOf(value: JsonValue | undefined): string[] | undefined | "none" {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) return "none";
  const items: readonly JsonValue[] = value;
  return items.every((item) => typeof item === "string") ? [...items] : "none";
}

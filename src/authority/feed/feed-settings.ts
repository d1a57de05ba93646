/**
 * What the authority tells besides revocations: keys, its certificate authorities, which proxy runs
 * which bundle, who is disabled. Small, so it travels whole when any of it changes, as one text that
 * every later frame names by its digest: who missed a change sees that it did.
 *
 * It is the same for every follower. A follower finds its own bundle by its own name, so that one
 * signed frame serves all and a relay has nothing to make.
 */
import { createHash } from "node:crypto";
import { algorithmProfile } from "../../crypto/algorithms.ts";
import { jwkThumbprint } from "../../crypto/jwk.ts";
import type { FeedChange } from "../../model/feed.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../../model/json.ts";
import { API_KEY_DIGEST } from "../../model/api-keys.ts";
import { matchesName } from "../authority-options.ts";
import { machineKey } from "../enrolment/machine-keys.ts";
import {
  KEY_USES,
  type KeyUse,
  type PublishedKey,
  SIGNING_ALGORITHMS,
} from "../../model/signing.ts";

/** Which proxies run which bundle. */
export interface BundleAssignment {
  /** A name, or a pattern of names with `*`. */
  readonly proxy: string;
  /** `sha256-<base64url>`. */
  readonly bundle: string;
}

export interface FeedSettings {
  readonly keys: readonly PublishedKey[];
  /** Those that machines sign assertions with. */
  readonly machineKeys: readonly PublishedKey[];
  /** PEM, one certificate each. */
  readonly authorities: readonly string[];
  /** The first that matches counts. */
  readonly bundles: readonly BundleAssignment[];
  /** Names of machines that are not let in any more although their certificate would be. */
  readonly disabled: readonly string[];
  /** The key under which API keys are hashed, in base64url; left out: there are no API keys. A secret. */
  readonly apiKeyMac?: string | undefined;
}

const LIMITS = {
  /** Characters of the whole. It is one frame. */
  text: 384 * 1024,
  /** Five uses, each with one to come, one in use and one retired, and emergencies. */
  keys: 64,
  /** As many as an authority keeps; a machine has one or two of them. */
  machineKeys: 4000,
  /** One in use, one to come, one retired. */
  authorities: 8,
  /** Characters of one certificate in PEM. */
  pem: 8 * 1024,
  /** As many as configuration may have. */
  bundles: 1000,
  /** Those whose certificate has not ended by itself: many at once are a burglary, not a routine. */
  disabled: 4000,
  /** Characters of a machine's name. */
  name: 128,
} as const;

const BUNDLE = /^sha256-[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export const NO_SETTINGS: FeedSettings = {
  keys: [],
  machineKeys: [],
  authorities: [],
  bundles: [],
  disabled: [],
};

/** The text, the same for the same settings. Throws RangeError where it would be too large. */
export function writeSettings(settings: FeedSettings): string {
  const { keys, machineKeys, authorities, bundles, disabled, apiKeyMac } = settings;
  const text = JSON.stringify({
    keys: keys.map(({ kid, use, algorithm, jwk, activeMs, retiredMs, removedMs }) => ({
      kid,
      use,
      algorithm,
      jwk,
      activeMs,
      retiredMs,
      removedMs,
    })),
    // There may be a thousand, so what follows from the rest is left out. Nothing, where there is none:
    // who follows may be of a version that knows of none.
    ...(machineKeys.length > 0 && { machineKeys: machineKeys.map(machineKeyText) }),
    authorities,
    bundles: bundles.map(({ proxy, bundle }) => ({ proxy, bundle })),
    disabled: disabled.toSorted(),
    ...(apiKeyMac === undefined ? {} : { apiKeyMac }),
  });
  if (text.length > LIMITS.text || readSettings(text) === undefined) {
    throw new RangeError("the settings of the feed are beyond their limits");
  }
  return text;
}

/** Undefined where the text is not what `writeSettings` makes. */
export function readSettings(text: string): FeedSettings | undefined {
  if (text.length > LIMITS.text) return undefined;
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const keys = listOf(value["keys"], LIMITS.keys, keyOf);
  const machineKeys = listOf(value["machineKeys"] ?? [], LIMITS.machineKeys, machineKeyOf);
  const authorities = listOf(value["authorities"], LIMITS.authorities, pemOf);
  const bundles = listOf(value["bundles"], LIMITS.bundles, assignmentOf);
  const disabled = listOf(value["disabled"], LIMITS.disabled, nameOf);
  if (!keys || !machineKeys || !authorities || !bundles || !disabled) return undefined;
  const { apiKeyMac } = value;
  const read = { keys, machineKeys, authorities, bundles, disabled };
  if (apiKeyMac === undefined) return read;
  const isMac = typeof apiKeyMac === "string" && API_KEY_DIGEST.test(apiKeyMac);
  return isMac ? { ...read, apiKeyMac } : undefined;
}

/** `sha256-<base64url>` of the text. */
export function settingsDigest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64url")}`;
}

/** What a proxy of this name is to run; undefined: nothing. */
export function bundleFor(settings: FeedSettings, name: string): string | undefined {
  return settings.bundles.find(({ proxy }) => matchesName(proxy, name))?.bundle;
}

/** The part of a change that settings make. */
export type SettingsNews = Pick<
  FeedChange,
  "keys" | "bundle" | "authorities" | "disabled" | "apiKeyMac"
>;

export const NO_NEWS: SettingsNews = {
  keys: undefined,
  bundle: undefined,
  authorities: undefined,
  disabled: undefined,
  apiKeyMac: undefined,
};

/** What is new in `now` for the proxy of this name; `before` undefined: all of it. */
export function settingsNews(
  before: FeedSettings | undefined,
  now: FeedSettings,
  name: string,
): SettingsNews {
  const bundle = bundleFor(now, name) ?? "";
  return {
    keys: same(allKeys(before), allKeys(now)) ? undefined : allKeys(now),
    authorities: same(before?.authorities, now.authorities) ? undefined : now.authorities,
    disabled: same(before?.disabled, now.disabled) ? undefined : now.disabled,
    apiKeyMac: before?.apiKeyMac === now.apiKeyMac ? undefined : (now.apiKeyMac ?? ""),
    bundle: before !== undefined && (bundleFor(before, name) ?? "") === bundle ? undefined : bundle,
  };
}

function allKeys(settings: FeedSettings | undefined): readonly PublishedKey[] | undefined {
  return settings && [...settings.keys, ...settings.machineKeys];
}

function same(before: unknown, now: unknown): boolean {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now);
}

export function isBundleHash(text: string): boolean {
  return BUNDLE.test(text);
}

function listOf<T>(
  value: JsonValue | undefined,
  limit: number,
  read: (item: JsonValue) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value) || value.length > limit) return undefined;
  const items: T[] = [];
  for (const item of value as readonly JsonValue[]) {
    const made = read(item);
    if (made === undefined) return undefined;
    items.push(made);
  }
  return items;
}

function keyOf(value: JsonValue): PublishedKey | undefined {
  if (!isJsonObject(value)) return undefined;
  const { kid, use, algorithm, jwk, activeMs, retiredMs, removedMs } = value;
  if (typeof kid !== "string" || kid.length === 0 || kid.length > 256) return undefined;
  const knownUse = KEY_USES.find((one) => one === use);
  const knownAlgorithm = SIGNING_ALGORITHMS.find((one) => one === algorithm);
  if (knownUse === undefined || knownAlgorithm === undefined || !isPublicJwk(jwk)) return undefined;
  if (!isTime(activeMs) || !isTime(retiredMs) || !isTime(removedMs)) return undefined;
  const times = { activeMs, retiredMs, removedMs };
  return { kid, use: knownUse satisfies KeyUse, algorithm: knownAlgorithm, jwk, ...times };
}

/** Name, algorithm, the three times, and the members of the key that are not told by the algorithm. */
function machineKeyText(key: PublishedKey): JsonValue {
  const { machine = "", algorithm, activeMs, retiredMs, removedMs, jwk } = key;
  const { x = "", y } = jwk;
  const head = [machine, algorithm, activeMs, retiredMs, removedMs, x];
  return y === undefined ? head : [...head, y];
}

function machineKeyOf(value: JsonValue): PublishedKey | undefined {
  if (!Array.isArray(value)) return undefined;
  const [machine, algorithm, activeMs, retiredMs, removedMs, x, y, ...more] =
    value as readonly JsonValue[];
  const known = SIGNING_ALGORITHMS.find((one) => one === algorithm);
  if (known === undefined || nameOf(machine) === undefined || more.length > 0) return undefined;
  if (!isTime(activeMs) || !isTime(retiredMs) || !isTime(removedMs)) return undefined;
  const { kty, crv } = algorithmProfile(known);
  if (kty === undefined || crv === undefined || typeof x !== "string") return undefined;
  const jwk: JsonObject = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  // Its name is told by the key, so nobody can give it another.
  const kid = jwkThumbprint(jwk);
  if (kid === undefined) return undefined;
  const times = { activeMs, retiredMs, removedMs };
  return machineKey(machine as string, { algorithm: known, kid, jwk, ...times });
}

/** Whoever sent a private half by mistake must not see it spread. */
function isPublicJwk(value: JsonValue | undefined): value is JsonObject {
  return isJsonObject(value) && !("d" in value) && !("k" in value);
}

function pemOf(value: JsonValue): string | undefined {
  const fits = typeof value === "string" && value.length <= LIMITS.pem;
  return fits && value.startsWith("-----BEGIN CERTIFICATE-----") ? value : undefined;
}

function assignmentOf(value: JsonValue): BundleAssignment | undefined {
  if (!isJsonObject(value)) return undefined;
  const { proxy, bundle } = value;
  if (typeof bundle !== "string" || !BUNDLE.test(bundle)) return undefined;
  return nameOf(proxy) === undefined ? undefined : { proxy: proxy as string, bundle };
}

function nameOf(value: JsonValue | undefined): string | undefined {
  const fits = typeof value === "string" && value.length > 0 && value.length <= LIMITS.name;
  return fits ? value : undefined;
}

function isTime(value: JsonValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

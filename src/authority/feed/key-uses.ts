/**
 * `POST /key-uses`: which API keys were used lately, as a proxy tells its authority, or the relay that it
 * follows, once a minute. `{ "uses": [[id, milliseconds since the epoch], …] }`. Nothing depends on it.
 */
import { API_KEY_ID, type ApiKeyUse } from "../../model/api-keys.ts";
import { isJsonObject, type JsonValue, parseJsonBytes } from "../../model/json.ts";

export const KEY_USES_PATH = "/key-uses";

export const KEY_USES_LIMITS = {
  /** Uses of one report: those of further keys are told with the next. */
  uses: 10_000,
  /** Bytes of it. */
  body: 640 * 1024,
} as const;

export function writeKeyUses(uses: readonly ApiKeyUse[]): Buffer {
  const listed = uses.slice(0, KEY_USES_LIMITS.uses).map(({ id, atMs }) => [id, atMs]);
  return Buffer.from(JSON.stringify({ uses: listed }));
}

/** Undefined where it is no report. */
export function readKeyUses(bytes: Uint8Array): ApiKeyUse[] | undefined {
  let value: JsonValue;
  try {
    value = parseJsonBytes(bytes, { maxDepth: 3 });
  } catch {
    return undefined;
  }
  const listed = isJsonObject(value) ? value["uses"] : undefined;
  if (!Array.isArray(listed) || listed.length > KEY_USES_LIMITS.uses) return undefined;
  const uses: ApiKeyUse[] = [];
  for (const one of listed as readonly JsonValue[]) {
    if (!Array.isArray(one) || one.length !== 2) return undefined;
    const [id, atMs] = one as readonly JsonValue[];
    if (typeof id !== "string" || !API_KEY_ID.test(id)) return undefined;
    if (typeof atMs !== "number" || !Number.isSafeInteger(atMs) || atMs < 0) return undefined;
    uses.push({ id, atMs });
  }
  return uses;
}

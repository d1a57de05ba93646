/**
 * What a session holds, and its text. Only claims that the configuration reads are kept: a cookie is small, and
 * what nobody needs cannot leak.
 */
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../../model/json.ts";
import { claimNames } from "../claims/claim-options.ts";
import type { PrincipalOptions } from "../claims/principal-options.ts";

export interface SessionContent {
  /** 128 bits at random, new with each login. */
  readonly id: string;
  readonly claims: JsonObject;
  /** The provider's id of its own session (`sid`), by which it ends ours. */
  readonly sid: string | undefined;
  /** For `id_token_hint` at logout. */
  readonly idToken: string | undefined;
  readonly refreshToken: string | undefined;
  /** When the access token expires, and with it what the claims say. Undefined: nobody said. */
  readonly accessExpiresMs: number | undefined;
  /** When it is to be refreshed; undefined: never. */
  readonly refreshMs: number | undefined;
  readonly beganMs: number;
  /** When it was last renewed. */
  readonly usedMs: number;
  /** Refreshes since login: of two texts of one session the one with more is newer. */
  readonly generation: number;
}

/** Claims that facts are made of, whatever the configuration reads beside them; by `nonce` a refresh is judged. */
const ALWAYS = ["sub", "acr", "amr", "auth_time", "act", "nonce"] as const;

/** Names of the claims (the outermost of each path) that sessions keep. */
export function keptClaims(principal: PrincipalOptions): ReadonlySet<string> {
  const { kind, subject, roles, groups, attributes, device } = principal;
  const paths = [
    ...(typeof kind === "string" ? [] : [kind.claim]),
    subject,
    ...(roles === undefined ? [] : [roles.claim]),
    ...(groups === undefined ? [] : [groups.claim]),
    ...Object.values(attributes).map(({ claim }) => claim),
    ...(device === undefined
      ? []
      : [device.claim, ...Object.values(device.attributes).map(({ claim }) => claim)]),
  ];
  return new Set([...ALWAYS, ...paths.map((path) => claimNames(path)[0] ?? "")]);
}

export function keepClaims(claims: JsonObject, names: ReadonlySet<string>): JsonObject {
  const kept: Record<string, JsonValue | undefined> = Object.create(null);
  for (const name of names) {
    if (claims[name] !== undefined) kept[name] = claims[name];
  }
  return kept;
}

/** As JSON with short names; whole numbers beyond 2^53 exactly. */
export function writeContent(content: SessionContent): string {
  return JSON.stringify(
    {
      i: content.id,
      c: content.claims,
      s: content.sid,
      h: content.idToken,
      r: content.refreshToken,
      e: content.accessExpiresMs,
      d: content.refreshMs,
      b: content.beganMs,
      u: content.usedMs,
      g: content.generation,
    },
    (_, value: unknown) =>
      typeof value === "bigint" ? (JSON as unknown as RawJson).rawJSON(String(value)) : value,
  );
}

/** Undefined where another version has written it. It is sealed, so nobody else can have. */
export function readContent(text: string): SessionContent | undefined {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { i, c, s, h, r, e, d, b, u, g } = value;
  if (typeof i !== "string" || !isJsonObject(c)) return undefined;
  if (!isTime(b) || !isTime(u) || !isTime(g)) return undefined;
  if (!isOptional(s) || !isOptional(h) || !isOptional(r)) return undefined;
  if ((e !== undefined && !isTime(e)) || (d !== undefined && !isTime(d))) return undefined;
  return {
    id: i,
    claims: c,
    sid: s,
    idToken: h,
    refreshToken: r,
    accessExpiresMs: e,
    refreshMs: d,
    beganMs: b,
    usedMs: u,
    generation: g,
  };
}

/** Of ES2025; TypeScript's library does not know it yet. */
interface RawJson {
  rawJSON(text: string): unknown;
}

function isTime(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isOptional(value: JsonValue | undefined): value is string | undefined {
  return value === undefined || typeof value === "string";
}

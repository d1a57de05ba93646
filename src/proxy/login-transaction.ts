/**
 * What a browser keeps for us while it is at the provider: one sealed cookie for each login under way, so that
 * several tabs can log in at once and none overwrites another's. Its name is made from `state`, which nobody
 * else knows: an answer that was begun in another browser finds no cookie here (login CSRF, session fixation).
 */
import { hash, randomBytes } from "node:crypto";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { LoginDemands, LoginSecrets } from "../identity/provider/provider.ts";
import type { Fields } from "../model/http.ts";
import { isJsonObject, parseJson, type JsonValue } from "../model/json.ts";
import { parseCookies } from "../wire/cookies.ts";
import { getAllFields } from "../wire/fields.ts";

export interface LoginTransaction extends LoginSecrets, LoginDemands {
  readonly redirectUri: string;
  /** Where to go afterwards; undefined: to a page that says that it is done. */
  readonly returnTo: string | undefined;
  readonly beganMs: number;
}

export const TRANSACTION_LIMITS = {
  /** For a person to find a password, and a second factor. */
  lifetimeMs: 600_000,
  /** Logins under way in one browser. Each is a cookie of some 1 KB; more than tabs that somebody looks at. */
  atOnce: 8,
  /**
   * Bytes of all of them in a Cookie field. They go out with every request until they end: with a session beside
   * them a head has to stay under the 32 KiB that listeners take by default. Two of the largest fit.
   */
  bytes: 8192,
} as const;

/** Not of an authenticator, none of which is called so. */
const MARK = "sallyport-~";

/** As random as `state`, `nonce` and a code verifier have to be (RFC 7636 section 7.1): 256 bits. */
export function newSecrets(): LoginSecrets {
  const secret = (): string => randomBytes(32).toString("base64url");
  return { state: secret(), nonce: secret(), codeVerifier: secret() };
}

/** `set-cookie` lines that keep it, and take the oldest away where there are too many. */
export function keepTransaction(
  transaction: LoginTransaction,
  login: LoginAuthenticator,
  fields: Fields,
): readonly string[] {
  const { state, nonce, codeVerifier, acrValues, maxAgeSeconds, redirectUri } = transaction;
  const text = JSON.stringify({
    s: state,
    n: nonce,
    v: codeVerifier,
    a: acrValues,
    m: maxAgeSeconds,
    u: redirectUri,
    r: transaction.returnTo,
    t: transaction.beganMs,
  });
  const name = nameOf(state, login);
  const maxAge = TRANSACTION_LIMITS.lifetimeMs / 1000;
  const own = `${prefixOf(login)}${MARK}`;
  const others = cookiesOf(fields).filter((other) => other.name.startsWith(own));
  const value = login.transactions.seal(text);
  return [
    `${name}=${value}; Max-Age=${maxAge}${attributesOf(login)}`,
    ...surplusOf(others, sizeOf({ name, value })).map(
      (other) => `${other.name}=; Max-Age=0${attributesOf(login)}`,
    ),
  ];
}

/** The oldest, which browsers send first (RFC 6265 section 5.4): those that there is no room for any more. */
function surplusOf(others: readonly Cookie[], ownBytes: number): readonly Cookie[] {
  let bytes = ownBytes;
  let kept = 0;
  for (const other of others.toReversed()) {
    bytes += sizeOf(other);
    if (bytes > TRANSACTION_LIMITS.bytes || kept === TRANSACTION_LIMITS.atOnce - 1) break;
    kept += 1;
  }
  return others.slice(0, others.length - kept);
}

type Cookie = ReturnType<typeof parseCookies>[number];

/** As it stands in a Cookie field: `name=value; `. */
function sizeOf({ name, value }: Pick<Cookie, "name" | "value">): number {
  return name.length + value.length + 3;
}

/** The login under way that this `state` belongs to; undefined where this browser has none. */
export function findTransaction(
  state: string,
  login: LoginAuthenticator,
  { fields, nowMs }: { readonly fields: Fields; readonly nowMs: number },
): LoginTransaction | undefined {
  const name = nameOf(state, login);
  const found = cookiesOf(fields).filter((cookie) => cookie.name === name);
  const [only] = found;
  if (found.length !== 1 || only === undefined) return undefined;
  const opened = login.transactions.open(only.value);
  const transaction = "plain" in opened ? readTransaction(opened.plain) : undefined;
  if (transaction?.state !== state) return undefined;
  const age = nowMs - transaction.beganMs;
  return age > TRANSACTION_LIMITS.lifetimeMs ? undefined : transaction;
}

export function dropTransaction(state: string, login: LoginAuthenticator): string {
  return `${nameOf(state, login)}=; Max-Age=0${attributesOf(login)}`;
}

/** Of what a browser was sent to: it tells nothing, and is the same for the same `state`. */
export function stateDigest(state: string): string {
  return hash("sha256", state, "base64url");
}

function nameOf(state: string, login: LoginAuthenticator): string {
  return `${prefixOf(login)}${MARK}${stateDigest(state).slice(0, 16)}`;
}

export function prefixOf({ options }: LoginAuthenticator): string {
  return options.session.cookie.insecurePlaintext ? "" : "__Host-";
}

/** Lax: the browser comes back by a link of the provider's site, and no other request is to carry it. */
export function attributesOf({ options }: LoginAuthenticator): string {
  const secure = options.session.cookie.insecurePlaintext ? "" : "; Secure";
  return `; Path=/; HttpOnly${secure}; SameSite=Lax`;
}

function cookiesOf(fields: Fields): ReturnType<typeof parseCookies> {
  return parseCookies(getAllFields(fields, "cookie").join("; "));
}

/** It was sealed, so nobody but another version of ours can have written it otherwise. */
function readTransaction(text: string): LoginTransaction | undefined {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { s, n, v, a, m, u, r, t } = value;
  if (typeof s !== "string" || typeof n !== "string" || typeof v !== "string") return undefined;
  if (typeof u !== "string" || typeof t !== "number") return undefined;
  if (!Array.isArray(a) || !a.every((one) => typeof one === "string")) return undefined;
  if (m !== undefined && typeof m !== "number") return undefined;
  if (r !== undefined && typeof r !== "string") return undefined;
  return {
    state: s,
    nonce: n,
    codeVerifier: v,
    acrValues: a,
    maxAgeSeconds: m,
    redirectUri: u,
    returnTo: r,
    beganMs: t,
  };
}

/**
 * The tokens that the demo plays with: good ones of every caller, and bad ones of every kind that a
 * proxy has to tell from them. All but the last two are as a real provider issued them.
 */
import type { webcrypto } from "node:crypto";
import { OLD_AUDIENCE, OTHER_AUDIENCE, PEOPLE } from "./cast.ts";
import type { ProviderFacts, Providers } from "./provider-process.ts";
import { boundToken, personToken, workloadToken } from "./tokens.ts";

export const TOKEN_NAMES = [
  "payments",
  "orders",
  "reports",
  "alice",
  "olga",
  "courier",
  "batch",
  "stolen",
  "invented",
  "expired",
  "stranger",
  "elsewhere",
  "changed",
  "unsigned",
] as const;
export type TokenName = (typeof TOKEN_NAMES)[number];
/** The value of the Authorization field that each is sent in. */
export type Wallet = Readonly<Record<TokenName, string>>;

/** What the demo holds: tokens, and the key that one of them is bound to. */
export interface Holdings {
  readonly wallet: Wallet;
  /** The courier's private key, as a JWK. */
  readonly courierKey: webcrypto.JsonWebKey;
}

/** Gets all of them; settles when the short-lived one has expired. */
export async function fillWallet({ own, stranger }: Providers): Promise<Holdings> {
  const [
    [expired, payments, orders, reports, alice, olga, foreign, elsewhere, batch],
    { token: courier, key: courierKey },
  ] = await Promise.all([Promise.all(plainTokens(own, stranger)), boundToken(own, "courier")]);
  await expiryOf(expired);
  const bearer = {
    payments,
    orders,
    reports,
    alice,
    olga,
    batch,
    // Whoever finds it has the token and not the key.
    stolen: courier,
    invented: "opaque-and-never-issued",
    expired,
    stranger: foreign,
    elsewhere,
    changed: changeOneByte(payments),
    unsigned: removeSignature(payments),
  };
  const values = Object.entries(bearer).map(([name, token]) => [name, `Bearer ${token}`]);
  const wallet = { ...Object.fromEntries(values), courier: `DPoP ${courier}` } as Wallet;
  return { wallet, courierKey };
}

function plainTokens(own: ProviderFacts, stranger: ProviderFacts) {
  return [
    workloadToken(own, "mayfly"),
    workloadToken(own, "payments"),
    workloadToken(own, "orders"),
    workloadToken(own, "reports"),
    personToken(own, person("alice")),
    personToken(own, person("olga")),
    workloadToken(stranger, "payments"),
    workloadToken(own, "payments", OTHER_AUDIENCE),
    workloadToken(own, "batch", OLD_AUDIENCE),
  ] as const;
}

function person(id: string): (typeof PEOPLE)[number] {
  const found = PEOPLE.find((one) => one.id === id);
  if (found === undefined) throw new TypeError(`${id} is not in the cast`);
  return found;
}

/** Settles once the token's own `exp` has passed. */
async function expiryOf(token: string): Promise<void> {
  const claims = JSON.parse(decode(token.split(".")[1] ?? "")) as { exp: number };
  const remaining = claims.exp * 1000 - Date.now();
  await new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, remaining) + 1);
  });
}

/** One byte in the middle of the signature becomes another one. */
function changeOneByte(token: string): string {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return [header, payload, bytes.toString("base64url")].join(".");
}

/** The same claims under `"alg": "none"` (RFC 8725 section 2.1). */
function removeSignature(token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: "none", typ: "at+jwt" })).toString("base64url");
  return `${header}.${token.split(".")[1] ?? ""}.`;
}

function decode(part: string): string {
  return Buffer.from(part, "base64url").toString();
}

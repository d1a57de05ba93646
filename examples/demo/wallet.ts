/**
 * The tokens that the demo plays with: good ones of every caller, and bad ones of every kind that a
 * proxy has to tell from them. All but the last two are as a real provider issued them.
 */
import { OTHER_AUDIENCE, PEOPLE } from "./cast.ts";
import type { Providers } from "./provider-process.ts";
import { personToken, workloadToken } from "./tokens.ts";

export const TOKEN_NAMES = [
  "payments",
  "orders",
  "reports",
  "alice",
  "olga",
  "expired",
  "stranger",
  "elsewhere",
  "changed",
  "unsigned",
] as const;
export type TokenName = (typeof TOKEN_NAMES)[number];
export type Wallet = Readonly<Record<TokenName, string>>;

/** Gets all of them; settles when the short-lived one has expired. */
export async function fillWallet({ own, stranger }: Providers): Promise<Wallet> {
  const [expired, payments, orders, reports, alice, olga, foreign, elsewhere] = await Promise.all([
    workloadToken(own, "mayfly"),
    workloadToken(own, "payments"),
    workloadToken(own, "orders"),
    workloadToken(own, "reports"),
    personToken(own, person("alice")),
    personToken(own, person("olga")),
    workloadToken(stranger, "payments"),
    workloadToken(own, "payments", OTHER_AUDIENCE),
  ]);
  await expiryOf(expired);
  return {
    payments,
    orders,
    reports,
    alice,
    olga,
    expired,
    stranger: foreign,
    elsewhere,
    changed: changeOneByte(payments),
    unsigned: removeSignature(payments),
  };
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

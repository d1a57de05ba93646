/**
 * Counts how often a browser has logged in of late: one that is sent to login again and again does not keep the
 * session's cookie, or the route does not take what the login gives, and a provider that remembers the person
 * would send it around for ever. A count that the browser itself keeps, since only its own loop depends on it.
 */
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { Fields } from "../model/http.ts";
import { parseCookies } from "../wire/cookies.ts";
import { getAllFields } from "../wire/fields.ts";
import { attributesOf, prefixOf } from "./login-transaction.ts";

const LIMITS = {
  /** Logins within the time; a step-up and a second provider are two more than the usual one. */
  rounds: 5,
  seconds: 60,
} as const;

export function isLoop(login: LoginAuthenticator, fields: Fields): boolean {
  return roundsOf(login, fields) >= LIMITS.rounds;
}

/** The `set-cookie` line after a login: the count ends by itself a minute after the last one. */
export function countRound(login: LoginAuthenticator, fields: Fields): string {
  const rounds = Math.min(roundsOf(login, fields) + 1, LIMITS.rounds);
  return `${nameOf(login)}=${rounds}; Max-Age=${LIMITS.seconds}${attributesOf(login)}`;
}

function roundsOf(login: LoginAuthenticator, fields: Fields): number {
  const name = nameOf(login);
  const cookies = parseCookies(getAllFields(fields, "cookie").join("; "));
  const value = cookies.find((cookie) => cookie.name === name)?.value ?? "";
  return /^[0-9]$/.test(value) ? Number(value) : 0;
}

/** No digest of a state is so short, so it is never taken for a login under way. */
function nameOf(login: LoginAuthenticator): string {
  return `${prefixOf(login)}sallyport-+rounds`;
}

/**
 * Names of our own cookies (sessions, logins under way). Nobody else speaks under them: services neither see
 * ours nor set any (design section 5, rule 10).
 */
import type { Fields } from "../model/http.ts";
import { trimBlanks } from "./blanks.ts";
import { cutCookies } from "./cookies.ts";

/** Browsers keep a cookie of such a name only of this very host, over https, for all of its paths. */
export const SECURE_COOKIES = "__Host-sallyport-";
/** For development over plain http. */
export const PLAIN_COOKIES = "sallyport-";

const PREFIXES = [SECURE_COOKIES, PLAIN_COOKIES] as const;

/** The Cookie value without ours; undefined when none is left. */
export function withoutOwnCookies(header: string): string | undefined {
  let left: string | undefined = header;
  for (const prefix of PREFIXES) {
    if (left !== undefined) left = cutCookies(left, prefix);
  }
  return left;
}

/**
 * Whether a `set-cookie` line would set one of ours, in a browser or in a reader of the Cookie field: a
 * cookie without a name whose value is `name=value` comes back as if it had that name.
 */
export function setsOwnCookie(line: string): boolean {
  const named = trimBlanks(line)
    .replace(/^[=\s]+/, "")
    .toLowerCase();
  return PREFIXES.some((prefix) => named.startsWith(prefix.toLowerCase()));
}

/**
 * Fields of an answer that sets a cookie of one person: no cache between may keep it for another
 * (RFC 9111 section 7.3). What forbids more than that stays.
 */
export function keptPrivate(fields: Fields): string[] {
  const kept: string[] = [];
  const directives: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    if (name === "cache-control") directives.push(...directivesOf(value));
    else kept.push(name, value);
  }
  const names = directives.map((one) => one.split("=", 1)[0]?.toLowerCase() ?? "");
  const closed = directives.some(
    (one) => one.toLowerCase() === "private" || one.toLowerCase() === "no-store",
  );
  const left = directives.filter((_, index) => !SHARED.has(names[index] ?? ""));
  kept.push("cache-control", (closed ? left : ["private", ...left]).join(", "));
  return kept;
}

/** Directives that let a shared cache keep an answer. */
const SHARED: ReadonlySet<string> = new Set(["public", "s-maxage"]);

/** Divided by commas outside of quotes. */
function directivesOf(value: string): string[] {
  return (value.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? [])
    .map((one) => trimBlanks(one))
    .filter((one) => one !== "");
}

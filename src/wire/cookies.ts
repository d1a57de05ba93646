/**
 * The Cookie field (RFC 6265 section 4.2), as far as we need it: pairs, and cutting our own out of
 * what is forwarded (design section 5, rule 10). Nothing is decoded.
 */
import { trimBlanks } from "./blanks.ts";

export interface Cookie {
  readonly name: string;
  /** As received, quotes included. */
  readonly value: string;
}

/**
 * The pairs in order. Text without `=` is a cookie without a name (as browsers send for `=x`); it
 * comes out with an empty name, so that nothing takes it for another.
 */
export function parseCookies(header: string): Cookie[] {
  const cookies: Cookie[] = [];
  for (const pair of header.split(";")) {
    const text = trimBlanks(pair);
    if (text === "") continue;
    const equals = text.indexOf("=");
    cookies.push(
      equals === -1
        ? { name: "", value: text }
        : { name: trimBlanks(text.slice(0, equals)), value: trimBlanks(text.slice(equals + 1)) },
    );
  }
  return cookies;
}

/**
 * The Cookie value without the cookies whose name begins with the prefix, letter case aside; the
 * others untouched. Undefined when none is left, the same text when nothing was cut.
 */
export function cutCookies(header: string, prefix: string): string | undefined {
  const lower = prefix.toLowerCase();
  if (!header.toLowerCase().includes(lower)) return header;
  const pairs = header.split(";");
  const kept = pairs.filter((pair) => !trimBlanks(pair).toLowerCase().startsWith(lower));
  if (kept.length === pairs.length) return header;
  const text = trimBlanks(kept.join(";"));
  return text === "" ? undefined : text;
}

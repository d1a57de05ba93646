/**
 * The query as `application/x-www-form-urlencoded`: `&` between pairs, the first `=` between name and
 * value, `+` for a space, percent escapes of UTF-8.
 *
 * Refuses (BAD_QUERY) a stray `%`, and escapes that are not valid UTF-8: the lenient readings of these
 * differ between services, and a policy must not decide on another value than the service sees.
 */
import { decodeQueryPart } from "../../wire/query.ts";
import { BAD_QUERY } from "../cedar/evaluation-error.ts";

/** Decoded name to its values, in the order of the query. Empty pairs are skipped. */
export function parseFormQuery(query: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : decode(pair.slice(equals + 1));
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return values;
}

function decode(text: string): string {
  const decoded = decodeQueryPart(text);
  if (decoded === undefined) throw BAD_QUERY;
  return decoded;
}

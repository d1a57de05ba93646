/**
 * The query of a request as `application/x-www-form-urlencoded`, and edits of it by name.
 *
 * Names compare decoded, so that `%61dmin` is `admin`; what is not edited stays as it was written, in
 * its order. Refused are a query whose names cannot be decoded, and one in which an edited name would
 * show to a service that also splits at `;`: it would see what the edit was to take away.
 */

/** What is edited: names that go, and pairs that come behind all others. */
export interface QueryEdit {
  /** Decoded names whose pairs are removed. */
  readonly gone: ReadonlySet<string>;
  /** Name and value, decoded. */
  readonly appended: readonly (readonly [name: string, value: string])[];
}

/** The edited query; undefined where nothing is left of it; null where it can be read in two ways. */
export function editQuery(query: string | undefined, edit: QueryEdit): string | undefined | null {
  const kept: string[] = [];
  for (const pair of query === undefined ? [] : query.split("&")) {
    const name = nameOf(pair);
    if (name === undefined) return null;
    if (edit.gone.has(name) && pair !== "") continue;
    if (pair.includes(";") && pair.split(";").some((part) => hides(part, edit.gone))) return null;
    kept.push(pair);
  }
  for (const [name, value] of edit.appended) {
    kept.push(`${encodeQueryPart(name)}=${encodeQueryPart(value)}`);
  }
  // An empty query stays one when nothing was taken from it.
  return kept.length === 0 ? undefined : kept.join("&");
}

/** `+` for a space and escapes of UTF-8; undefined for a stray `%` and for what is not UTF-8. */
export function decodeQueryPart(text: string): string | undefined {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined;
  }
}

/** All but unreserved characters (RFC 3986 section 2.3) are escaped. The text must be well-formed. */
export function encodeQueryPart(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function nameOf(pair: string): string | undefined {
  const equals = pair.indexOf("=");
  return decodeQueryPart(equals < 0 ? pair : pair.slice(0, equals));
}

function hides(part: string, gone: ReadonlySet<string>): boolean {
  const name = nameOf(part);
  return name === undefined || gone.has(name);
}

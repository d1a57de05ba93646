/** The static table of HPACK (RFC 7541 appendix A): 61 fields that both ends know beforehand. */

const TABLE: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** Entries; the dynamic table's newest has the index after it. */
export const STATIC_ENTRIES = TABLE.length;

/** By index, which begins at 1; index 0 stands for nothing (RFC 7541 section 6.1). */
export const STATIC_NAMES: readonly string[] = ["", ...TABLE.map(([name]) => name)];
export const STATIC_VALUES: readonly string[] = ["", ...TABLE.map(([, value]) => value)];

/** Index of the first entry of a name; undefined where it has none. */
export function staticIndexOf(name: string): number | undefined {
  return FIRST.get(name);
}

/** Indices of the entries of a name that have a value of their own, by that value. */
export function staticValuesOf(name: string): ReadonlyMap<string, number> | undefined {
  return VALUES.get(name);
}

const FIRST = new Map<string, number>();
const VALUES = new Map<string, Map<string, number>>();
for (const [position, [name, value]] of TABLE.entries()) {
  const index = position + 1;
  if (!FIRST.has(name)) FIRST.set(name, index);
  if (value === "") continue;
  const values = VALUES.get(name) ?? new Map<string, number>();
  VALUES.set(name, values.set(value, index));
}

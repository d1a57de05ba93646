/**
 * A query of which nothing is left but the names: what may stand in records and spans whoever reads
 * them.
 */

export const LIMITS = {
  /** Longest name that is written. What is longer is not a name but a value without one. */
  name: 64,
} as const;

/** A raw query (without `?`), each value as `*`. */
export function maskQuery(query: string): string {
  let masked = "";
  let start = 0;
  for (;;) {
    const ampersand = query.indexOf("&", start);
    if (ampersand === -1) return masked + maskPiece(query.slice(start));
    masked += `${maskPiece(query.slice(start, ampersand))}&`;
    start = ampersand + 1;
  }
}

/** One `name=value`. */
export function maskPiece(piece: string): string {
  const equals = piece.indexOf("=");
  // A piece without '=' may be a bare token (`?eyJ…`), so none of it is written.
  if (equals === -1) return piece === "" ? "" : "*";
  return equals > LIMITS.name ? "*" : `${piece.slice(0, equals)}=*`;
}

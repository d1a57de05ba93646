/**
 * What of a query reaches a record: names always, values only where the configuration keeps them,
 * and never under a name that usually holds a secret.
 */

const LIMITS = {
  /** Longest name that is written. What is longer is not a name but a value without one. */
  name: 64,
} as const;

/** Decoded, lower-case names whose values are masked whatever the configuration says. */
export const SECRET_NAMES: ReadonlySet<string> = new Set([
  "access_token",
  "api-key",
  "api_key",
  "apikey",
  "assertion",
  "auth",
  "authorization",
  "client_assertion",
  "client_secret",
  "code",
  "code_verifier",
  "id_token",
  "jwt",
  "key",
  "pass",
  "passwd",
  "password",
  "pwd",
  "refresh_token",
  "samlresponse",
  "secret",
  "session",
  "session_id",
  "sid",
  "sig",
  "signature",
  "subject_token",
  "token",
  "x-amz-credential",
  "x-amz-security-token",
  "x-amz-signature",
]);

export interface QueryRecording {
  readonly values: "masked" | "kept";
  /** Names whose values are kept although `values` is `masked`. */
  readonly keep: readonly string[];
}

/** Returns the function that makes a raw query (without `?`) fit for a record. */
export function createQueryMask(options: QueryRecording): (query: string) => string {
  const keep = new Set(options.keep);
  const keepAll = options.values === "kept";
  if (!keepAll && keep.size === 0) return maskAll;
  return (query) =>
    query
      .split("&")
      .map((piece) => keepPiece(piece, { keepAll, keep }))
      .join("&");
}

/** The usual case, without a list of pieces. */
function maskAll(query: string): string {
  let masked = "";
  let start = 0;
  for (;;) {
    const ampersand = query.indexOf("&", start);
    if (ampersand === -1) return masked + maskPiece(query.slice(start));
    masked += `${maskPiece(query.slice(start, ampersand))}&`;
    start = ampersand + 1;
  }
}

function maskPiece(piece: string): string {
  const equals = piece.indexOf("=");
  // A piece without '=' may be a bare token (`?eyJ…`), so none of it is written.
  if (equals === -1) return piece === "" ? "" : "*";
  return equals > LIMITS.name ? "*" : `${piece.slice(0, equals)}=*`;
}

function keepPiece(
  piece: string,
  options: { readonly keepAll: boolean; readonly keep: ReadonlySet<string> },
): string {
  const equals = piece.indexOf("=");
  if (equals === -1 || equals > LIMITS.name) return maskPiece(piece);
  const name = decodeName(piece.slice(0, equals));
  if (name === undefined || SECRET_NAMES.has(name.toLowerCase())) return maskPiece(piece);
  // Tokens turn up under every name; what looks like a JWT is one.
  if (piece.startsWith("eyJ", equals + 1)) return maskPiece(piece);
  return options.keepAll || options.keep.has(name) ? piece : maskPiece(piece);
}

/** As application/x-www-form-urlencoded says; undefined where it cannot be decoded. */
function decodeName(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

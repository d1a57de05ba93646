/**
 * What of a query reaches a record: names always, values only where the configuration keeps them,
 * and never under a name that usually holds a secret.
 */
import { LIMITS, maskPiece, maskQuery } from "../wire/masked-query.ts";

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
  if (!keepAll && keep.size === 0) return maskQuery;
  return (query) =>
    query
      .split("&")
      .map((piece) => keepPiece(piece, { keepAll, keep }))
      .join("&");
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

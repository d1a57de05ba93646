/**
 * What a token endpoint answers (RFC 6749 sections 5.1 and 5.2), read strictly: a token with its type and its
 * time, or an error by its code. Refuses what says neither; nothing that it refuses is repeated.
 */
import { isJsonObject, type JsonObject, parseJsonBytes } from "../model/json.ts";

export interface TokenAnswer {
  /** Says of itself what it is: a secret. */
  readonly token: string;
  /** Lower case. */
  readonly type: string;
  readonly expiresInSeconds: number;
}

export interface TokenError {
  /** `access_denied`, `invalid_client`, …; undefined: the answer names none. */
  readonly error: string | undefined;
  /** For the operator; printable ASCII. */
  readonly description: string | undefined;
}

/** The answer cannot be taken: which rule it breaks. */
export interface TokenFault {
  readonly fault: string;
}

const LIMITS = {
  /** Characters of a token: as much as we take of a caller. */
  token: 16 * 1024,
  /** Seconds: shorter ones would be asked for all the time, and none of ours lives longer. */
  shortest: 5,
  longest: 24 * 60 * 60,
  /** Characters of a description that are told. */
  description: 200,
} as const;

/** RFC 6750 section 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
/** RFC 6749 section 5.2. */
const ERROR = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

export function readTokenAnswer(
  status: number,
  body: Uint8Array,
): TokenAnswer | TokenError | TokenFault {
  const answer = objectOf(body);
  if (status !== 200) return errorOf(answer);
  if (answer === undefined) return { fault: "it is not strict JSON" };
  const { access_token: token, token_type: type, expires_in: seconds } = answer;
  if (typeof token !== "string" || token.length > LIMITS.token || !TOKEN.test(token)) {
    return { fault: "access_token is absent or no token" };
  }
  if (typeof type !== "string") return { fault: "token_type is absent or not a text" };
  // RFC 6749 recommends it; without, a key could not be renewed before it ends.
  if (typeof seconds !== "number" || !(seconds >= LIMITS.shortest)) {
    return { fault: `expires_in is absent, or less than ${LIMITS.shortest} seconds` };
  }
  const expiresInSeconds = Math.min(seconds, LIMITS.longest);
  return { token, type: type.toLowerCase(), expiresInSeconds };
}

function errorOf(answer: JsonObject | undefined): TokenError {
  const { error, error_description: described } = answer ?? {};
  const description =
    typeof described === "string"
      ? described.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, LIMITS.description)
      : undefined;
  return { error: typeof error === "string" && ERROR.test(error) ? error : undefined, description };
}

function objectOf(body: Uint8Array): JsonObject | undefined {
  try {
    const value = parseJsonBytes(body);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

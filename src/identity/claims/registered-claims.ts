/**
 * The registered claims of an access token (RFC 7519 section 4.1, RFC 9068 section 2.2), of the
 * types that their specifications give them or not at all.
 *
 * `exp` is required of what is read from the token itself: a key that never ends cannot be taken back
 * by waiting. A provider that is asked again and again may leave it out (RFC 7662 section 2.2).
 */
import type { CredentialFacts } from "../../model/facts.ts";
import type { JsonObject, JsonValue } from "../../model/json.ts";
import type { ClaimFault } from "./claims.ts";

/** The part of the facts that the registered claims tell. */
export type RegisteredClaims = Pick<
  CredentialFacts,
  | "expiresAt"
  | "notBefore"
  | "issuedAt"
  | "audience"
  | "scopes"
  | "tokenId"
  | "clientId"
  | "acr"
  | "amr"
  | "authenticatedAt"
>;

const LIMITS = {
  textChars: 1024,
  /** Audiences, scopes or authentication methods of one token. */
  items: 256,
  /** The last moment that a Date can name; beyond it arithmetic on times means nothing. */
  maxSeconds: 8_640_000_000_000,
} as const;

/** `expiresAt` of what has no `exp`: its provider ends it. */
export const NO_EXPIRY = LIMITS.maxSeconds;

/** Reads them. The fault names the claim and holds no value. `withoutExp`: what stands for an absent `exp`. */
export function readRegisteredClaims(
  claims: JsonObject,
  withoutExp?: typeof NO_EXPIRY,
): RegisteredClaims | ClaimFault {
  const reader = new Reader(claims);
  const expiresAt = reader.time("exp") ?? withoutExp;
  const read: RegisteredClaims = {
    expiresAt: expiresAt ?? 0,
    notBefore: reader.time("nbf"),
    issuedAt: reader.time("iat"),
    audience: reader.list("aud"),
    scopes: [...new Set([...reader.scopes("scope"), ...reader.scopes("scp")])],
    tokenId: reader.text("jti"),
    clientId: reader.text("client_id") ?? reader.text("azp"),
    acr: reader.text("acr"),
    amr: reader.list("amr"),
    authenticatedAt: reader.time("auth_time"),
  };
  if (reader.wrong !== undefined) {
    return { fault: "invalid-claim", detail: `claim ${reader.wrong} is not of its specified type` };
  }
  if (expiresAt === undefined) return { fault: "missing-claim", detail: "claim exp is absent" };
  return read;
}

/** Absent claims read as undefined or empty; the first one of a wrong type is kept in `wrong`. */
class Reader {
  readonly #claims: JsonObject;
  wrong: string | undefined;

  constructor(claims: JsonObject) {
    this.#claims = claims;
  }

  /** NumericDate: seconds, possibly with a fraction. */
  time(name: string): number | undefined {
    return this.#read(name, isTime);
  }

  text(name: string): string | undefined {
    return this.#read(name, isText);
  }

  /** One text or a list of texts. */
  list(name: string): readonly string[] {
    const value = this.#read(name, isTextOrTexts);
    return typeof value === "string" ? [value] : (value ?? []);
  }

  /** RFC 6749 section 3.3 divides by spaces; some providers write a list. */
  scopes(name: string): readonly string[] {
    return this.list(name).flatMap((text) => text.split(" ").filter((scope) => scope !== ""));
  }

  #read<T extends JsonValue>(
    name: string,
    isRight: (value: JsonValue) => value is T,
  ): T | undefined {
    const value = this.#claims[name];
    if (value === undefined) return undefined;
    if (isRight(value)) return value;
    this.wrong ??= name;
    return undefined;
  }
}

function isTime(value: JsonValue): value is number {
  return typeof value === "number" && value >= 0 && value <= LIMITS.maxSeconds;
}

function isText(value: JsonValue): value is string {
  return typeof value === "string" && value.length <= LIMITS.textChars;
}

/** A scope text may be longer than other texts: it is a list. */
function isTextOrTexts(value: JsonValue): value is string | readonly string[] {
  return (
    typeof value === "string" ||
    (Array.isArray(value) && value.length <= LIMITS.items && value.every(isText))
  );
}

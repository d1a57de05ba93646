/**
 * What can be said about a token before its signature is checked, at no cost: its algorithm and
 * type, the form of its registered claims, and its times.
 *
 * An expired token, the commonest bad one, is turned away here: it neither costs a signature check
 * nor eats into its sender's budget of failures. Whatever passes is still unverified.
 */
import { canonicalAlgorithm, isAlgorithm, type Algorithm } from "../crypto/algorithms.ts";
import type { UnverifiedJws } from "../crypto/jws.ts";
import { isJsonObject, type JsonObject } from "../model/json.ts";
import type { Clock } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import { checkTimes } from "./checks.ts";
import { ABSENT_TYPE, type JwtOptions } from "./jwt-options.ts";
import { readRegisteredClaims, type RegisteredClaims } from "./claims/registered-claims.ts";

/** Why a token is refused. `detail` is for the operator and holds nothing of the token. */
export interface TokenFault {
  readonly fault: Reason;
  readonly detail: string;
}

export interface PlausibleToken {
  readonly algorithm: Algorithm;
  readonly registered: RegisteredClaims;
  readonly clockSkew: number;
}

export type TokenPrecheck = (jws: UnverifiedJws) => PlausibleToken | TokenFault;

export function createTokenPrecheck(
  options: Pick<JwtOptions, "algorithms" | "types" | "clockSkew" | "maxAge" | "insecureIdTokens">,
  clock: Clock,
): TokenPrecheck {
  const algorithms = new Set(options.algorithms.map(canonicalAlgorithm));
  const types = new Set(options.types.map((type) => type.toLowerCase()));
  const withoutType = types.delete(ABSENT_TYPE);
  const clockSkew = options.clockSkew / 1000;
  const maxAge = options.maxAge === undefined ? undefined : options.maxAge / 1000;

  return (jws) => {
    const { algorithm } = jws;
    if (!isAlgorithm(algorithm) || !algorithms.has(canonicalAlgorithm(algorithm))) {
      return { fault: "algorithm-not-allowed", detail: "alg is not in the list" };
    }
    const accepted = jws.type === undefined ? withoutType : types.has(bareType(jws.type));
    if (!accepted) return { fault: "invalid-token-type", detail: "typ is not in the list" };
    if (!options.insecureIdTokens && isIdToken(jws.claims)) {
      return { fault: "invalid-token-type", detail: "it is an ID token" };
    }
    if (isLogoutToken(jws.claims)) {
      return { fault: "invalid-token-type", detail: "it is a logout token" };
    }
    const read = readRegisteredClaims(jws.claims);
    if ("fault" in read) return read;
    const registered = maxAge === undefined ? read : boundAge(read, maxAge);
    if ("fault" in registered) return registered;
    const fault = checkTimes({ ...registered, clockSkew }, clock.now());
    if (fault !== undefined) return { fault, detail: "by its times; nothing was verified" };
    return { algorithm, registered, clockSkew };
  };
}

/** RFC 7515 section 4.1.9: `application/` may be left out; media types know no case. */
function bareType(type: string): string {
  return type.toLowerCase().replace(/^application\//, "");
}

/**
 * OpenID Connect Core sections 3.1.3.6 and 3.3.2.11: only ID tokens carry these hashes. Keycloak
 * says it in a claim `typ`.
 */
function isIdToken(claims: JsonObject): boolean {
  return "at_hash" in claims || "c_hash" in claims || claims["typ"] === "ID";
}

/**
 * OpenID Connect Back-Channel Logout 1.0 section 2.4: it tells clients that somebody is gone, and many providers
 * give it no `typ` of its own. Each client of the provider receives them, so none may open anything.
 */
function isLogoutToken({ events }: JsonObject): boolean {
  return isJsonObject(events) && LOGOUT_EVENT in events;
}

const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";

/** The token ends `maxAge` after its issue, whatever its `exp` says. */
function boundAge(read: RegisteredClaims, maxAge: number): RegisteredClaims | TokenFault {
  if (read.issuedAt === undefined) {
    return { fault: "missing-claim", detail: "claim iat is absent, and maxAge needs it" };
  }
  return { ...read, expiresAt: Math.min(read.expiresAt, read.issuedAt + maxAge) };
}

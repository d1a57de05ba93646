/**
 * The claims of an ID token whose signature is good: every check of OpenID Connect Core section 3.1.3.7, each
 * with a reason of its own, and section 12.2 for those that a refresh brings.
 */
import { hash } from "node:crypto";
import type { Algorithm } from "../../crypto/algorithms.ts";
import type { JsonObject } from "../../model/json.ts";
import { readRegisteredClaims } from "../claims/registered-claims.ts";
import type { TokenFault } from "../token-precheck.ts";

export interface IdTokenRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly trustedAudiences: readonly string[];
  readonly clockSkewSeconds: number;
  /** Of which each login has to be one, whatever else was asked of it; any when empty. */
  readonly acrValues: readonly string[];
}

/** What this very login, or this very refresh, is about. */
export interface IdTokenExpected {
  /** Of the login. Undefined: a refresh of a session that does not know it. */
  readonly nonce: string | undefined;
  /** Whose session is refreshed (section 12.2); undefined for a login. */
  readonly subject: string | undefined;
  /** The access token beside it, which `at_hash` must fit. */
  readonly accessToken: string;
  /** Login contexts that were asked for; any when empty. */
  readonly acrValues: readonly string[];
  /** Seconds since the login at most; undefined: not asked. */
  readonly maxAgeSeconds: number | undefined;
  readonly nowSeconds: number;
}

const LIMITS = {
  /** Section 2: `sub` has at most 255 ASCII characters. */
  subjectChars: 255,
  /**
   * An ID token was made for the code that was just redeemed. Ten minutes are what a login may take here,
   * and more than the five by which some providers date them back.
   */
  ageSeconds: 600,
} as const;

/** Undefined: all holds. The fault's detail holds no value. */
export function checkIdToken(
  { claims, algorithm }: { readonly claims: JsonObject; readonly algorithm: Algorithm },
  rules: IdTokenRules,
  expected: IdTokenExpected,
): TokenFault | undefined {
  const read = readRegisteredClaims(claims);
  if ("fault" in read) return read;
  const { nowSeconds: now } = expected;
  const skew = rules.clockSkewSeconds;
  // 2
  if (claims["iss"] !== rules.issuer) return fault("wrong-issuer", "iss is not the provider's");
  const subject = claims["sub"];
  if (typeof subject !== "string" || subject === "" || subject.length > LIMITS.subjectChars) {
    return fault(subject === undefined ? "missing-claim" : "invalid-claim", "claim sub is no name");
  }
  // 3: also refused where it is meant for somebody whom nobody here trusts.
  const { audience = [] } = read;
  if (!audience.includes(rules.clientId)) {
    return fault("wrong-audience", "aud does not name the client");
  }
  const others = audience.filter((one) => one !== rules.clientId);
  if (others.some((one) => !rules.trustedAudiences.includes(one))) {
    return fault("wrong-audience", "aud names somebody who is not trusted");
  }
  // 4 and 5
  const party = claims["azp"];
  if (party === undefined ? others.length > 0 : party !== rules.clientId) {
    return fault("wrong-authorized-party", "azp is not the client");
  }
  // 9
  if (now >= read.expiresAt + skew) return fault("token-expired", "by exp");
  if (read.notBefore !== undefined && read.notBefore > now + skew) {
    return fault("token-not-yet-valid", "by nbf");
  }
  // 10
  if (read.issuedAt === undefined) return fault("missing-claim", "claim iat is absent");
  if (read.issuedAt > now + skew) return fault("token-not-yet-valid", "by iat");
  if (read.issuedAt < now - LIMITS.ageSeconds - skew) return fault("token-expired", "by iat");
  return (
    checkNonce(claims, expected) ??
    checkSubject(subject, expected) ??
    checkAccessTokenHash(claims, algorithm, expected) ??
    checkAuthenticationTime(read.authenticatedAt, now + skew) ??
    checkStandingContext(read.acr, rules, expected) ??
    checkContext(read, expected, skew)
  );
}

/**
 * 11: an ID token of another login is not an answer to this one, even where its code was smuggled in. Section 12.2:
 * what a refresh brings has none, or the first one's.
 */
function checkNonce(
  claims: JsonObject,
  { nonce, subject }: IdTokenExpected,
): TokenFault | undefined {
  if (nonce === undefined || claims["nonce"] === nonce) return undefined;
  if (subject !== undefined && claims["nonce"] === undefined) return undefined;
  return fault("wrong-nonce", "nonce is not that of this login");
}

/** Section 12.2: nobody becomes another by a refresh. */
function checkSubject(subject: string, expected: IdTokenExpected): TokenFault | undefined {
  if (expected.subject === undefined || expected.subject === subject) return undefined;
  return fault("wrong-subject", "sub is not that of the session");
}

/** Section 3.1.3.8: binds the access token to it. May be left out; where it stands it must fit. */
function checkAccessTokenHash(
  claims: JsonObject,
  algorithm: Algorithm,
  { accessToken }: IdTokenExpected,
): TokenFault | undefined {
  const given = claims["at_hash"];
  if (given === undefined) return undefined;
  const digest = hash(digestOf(algorithm), accessToken, "buffer");
  const half = digest.subarray(0, digest.length / 2).toString("base64url");
  return given === half ? undefined : fault("wrong-token-hash", "at_hash is another token's");
}

/** Of the algorithm's name (section 3.1.3.6); Ed25519 has SHA-512 inside (RFC 8032 section 5.1). */
function digestOf(algorithm: Algorithm): "sha256" | "sha384" | "sha512" {
  if (algorithm.endsWith("256")) return "sha256";
  return algorithm.endsWith("384") ? "sha384" : "sha512";
}

/** A login that is yet to come would be a recent one for ever, for `max_age` and for policies. */
function checkAuthenticationTime(
  authenticatedAt: number | undefined,
  latest: number,
): TokenFault | undefined {
  if (authenticatedAt === undefined || authenticatedAt <= latest) return undefined;
  return fault("invalid-claim", "auth_time lies in the future");
}

/** By configuration, of each login; a refresh need not say again how the person logged in (section 12.2). */
function checkStandingContext(
  acr: string | undefined,
  { acrValues }: IdTokenRules,
  { subject }: IdTokenExpected,
): TokenFault | undefined {
  if (acrValues.length === 0 || subject !== undefined) return undefined;
  if (acr !== undefined && acrValues.includes(acr)) return undefined;
  return fault("insufficient-login", "acr is none of those that the authenticator asks for");
}

/** 12 and 13. A provider may answer with less than was asked (section 5.5.1.1), so it is looked at. */
function checkContext(
  read: { readonly acr: string | undefined; readonly authenticatedAt: number | undefined },
  { acrValues, maxAgeSeconds, nowSeconds }: IdTokenExpected,
  skew: number,
): TokenFault | undefined {
  if (acrValues.length > 0 && (read.acr === undefined || !acrValues.includes(read.acr))) {
    return fault("insufficient-login", "acr is none of those that were asked for");
  }
  if (maxAgeSeconds === undefined) return undefined;
  if (read.authenticatedAt === undefined) {
    return fault("missing-claim", "claim auth_time is absent, and max_age was asked for");
  }
  if (read.authenticatedAt < nowSeconds - maxAgeSeconds - skew) {
    return fault("insufficient-login", "auth_time is longer ago than was asked for");
  }
  return undefined;
}

function fault(reason: TokenFault["fault"], detail: string): TokenFault {
  return { fault: reason, detail };
}

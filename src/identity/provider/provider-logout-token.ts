/**
 * The claims of a logout token whose signature is good: OpenID Connect Back-Channel Logout 1.0 section 2.6.
 *
 * Refuses an ID token that is passed for one (no `events`, or a `nonce`), what is meant for another client,
 * what is old, and what was seen before.
 */
import { hash } from "node:crypto";
import { isJsonObject, type JsonObject } from "../../model/json.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import { readRegisteredClaims } from "../claims/registered-claims.ts";
import type { TokenFault } from "../token-precheck.ts";

export interface LogoutTokenRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly clockSkewSeconds: number;
}

/** Whose sessions end: those of `sid`; without it all of `subject`. */
export interface LogoutNotice {
  readonly sid: string | undefined;
  readonly subject: string | undefined;
}

const EVENT = "http://schemas.openid.net/event/backchannel-logout";

const LIMITS = {
  textChars: 1024,
  /** Section 2.4 recommends at most two minutes to `exp`; and as long we remember its `jti`. */
  ageSeconds: 600,
} as const;

const SPACE = "logout-tokens";

/** Rejects where the memory of what was seen cannot be asked. */
export async function readLogoutToken(
  claims: JsonObject,
  rules: LogoutTokenRules,
  deps: { readonly shared: SharedMemory; readonly nowSeconds: number },
): Promise<LogoutNotice | TokenFault> {
  const read = readRegisteredClaims(claims);
  if ("fault" in read) return read;
  const { nowSeconds: now } = deps;
  const skew = rules.clockSkewSeconds;
  if (claims["iss"] !== rules.issuer) return fault("wrong-issuer", "iss is not the provider's");
  if (read.audience?.includes(rules.clientId) !== true) {
    return fault("wrong-audience", "aud does not name the client");
  }
  if (now >= read.expiresAt + skew) return fault("token-expired", "by exp");
  if (read.issuedAt === undefined) return fault("missing-claim", "claim iat is absent");
  if (read.issuedAt > now + skew) return fault("token-not-yet-valid", "by iat");
  if (read.issuedAt < now - LIMITS.ageSeconds - skew) return fault("token-expired", "by iat");
  const events = claims["events"];
  if (!isJsonObject(events) || !isJsonObject(events[EVENT])) {
    return fault("invalid-logout-token", "events does not say that it is about a logout");
  }
  // So that no ID token can be passed for one, nor one for an ID token.
  if ("nonce" in claims) return fault("invalid-logout-token", "it has a nonce");
  const sid = claims["sid"];
  const subject = claims["sub"];
  if ((sid !== undefined && !isName(sid)) || (subject !== undefined && !isName(subject))) {
    return fault("invalid-logout-token", "sid or sub is no name");
  }
  if (sid === undefined && subject === undefined) {
    return fault("invalid-logout-token", "neither sid nor sub says whose logout it is");
  }
  const { tokenId } = read;
  if (tokenId === undefined) return fault("missing-claim", "claim jti is absent");
  const key = hash("sha256", `${rules.issuer} ${tokenId}`, "base64url");
  const ttlMs = (LIMITS.ageSeconds + 2 * skew) * 1000;
  if (!(await deps.shared.claim(SPACE, key, ttlMs))) {
    return fault("replayed-logout-token", "its jti was seen before");
  }
  return { sid, subject };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= LIMITS.textChars;
}

function fault(reason: TokenFault["fault"], detail: string): TokenFault {
  return { fault: reason, detail };
}

/** What a login or a refresh makes of a session, or why it cannot be one. */
import { randomBytes } from "node:crypto";
import { isClaimFault } from "../claims/claims.ts";
import type { PrincipalOptions } from "../claims/principal-options.ts";
import {
  keepClaims,
  keptClaims,
  readContent,
  type SessionContent,
  writeContent,
} from "./session-content.ts";
import type { MakeSessionFacts } from "./session-facts.ts";
import type { SessionFault } from "./session-faults.ts";
import type { SessionTokens } from "./session-provider.ts";
import type { Refreshed } from "./session-refresh.ts";
import type { SessionTimes } from "./session-times.ts";

export interface SessionMerge {
  /** A session of its own: whatever id a browser came with, it is not that one. */
  begun(
    tokens: SessionTokens & { readonly claims: NonNullable<SessionTokens["claims"]> },
    nowMs: number,
  ): SessionContent | SessionFault;
  refreshed(content: SessionContent, tokens: SessionTokens, nowMs: number): Refreshed;
}

const ID_BYTES = 16;

export function createSessionMerge(
  principal: PrincipalOptions,
  { times, makeFacts }: { readonly times: SessionTimes; readonly makeFacts: MakeSessionFacts },
): SessionMerge {
  const kept = keptClaims(principal);

  /** What is kept has to come out as it went in, and be what the configuration asks for. */
  function faultOf(content: SessionContent): SessionFault | undefined {
    const again = readContent(writeContent(content));
    if (again === undefined) {
      return { failure: "invalid-claim", detail: "a claim is not well-formed text" };
    }
    const moment = { endsMs: times.absoluteEnd(content), nowMs: content.beganMs, valid: always };
    const facts = makeFacts(again, moment);
    return isClaimFault(facts) ? { failure: facts.fault, detail: facts.detail } : undefined;
  }

  return {
    begun(tokens, nowMs) {
      const content: SessionContent = {
        id: randomBytes(ID_BYTES).toString("base64url"),
        claims: keepClaims(tokens.claims, kept),
        sid: tokens.sid,
        idToken: tokens.idToken,
        refreshToken: tokens.refreshToken,
        ...times.ofTokens(tokens, nowMs),
        beganMs: nowMs,
        usedMs: nowMs,
        generation: 0,
      };
      return faultOf(content) ?? content;
    },
    refreshed(content, tokens, nowMs) {
      const { claims } = tokens;
      if (claims !== undefined && claims["sub"] !== content.claims["sub"]) {
        return { ended: "the provider refreshed it for another subject" };
      }
      const refreshToken = tokens.refreshToken ?? content.refreshToken;
      const next: SessionContent = {
        ...content,
        claims: claims === undefined ? content.claims : keepClaims(merged(content, claims), kept),
        sid: content.sid ?? tokens.sid,
        idToken: tokens.idToken ?? content.idToken,
        refreshToken,
        ...times.ofTokens({ expiresAt: tokens.expiresAt, refreshToken }, nowMs),
        generation: content.generation + 1,
      };
      const fault = faultOf(next);
      return fault === undefined ? { content: next } : { ended: fault.detail };
    },
  };
}

/**
 * A provider need not repeat how and when the person logged in (OpenID Connect Core section 12.2). Where it tells of
 * another moment, how it was then is not known from before: an old `acr` must not become a recent one.
 */
function merged(
  { claims: { acr, amr, auth_time: authTime, nonce } }: SessionContent,
  claims: NonNullable<SessionTokens["claims"]>,
): SessionContent["claims"] {
  const told = claims["auth_time"];
  if (told !== undefined && told !== authTime) return { ...claims, nonce };
  return { acr, amr, auth_time: authTime, ...claims, nonce };
}

function always(): boolean {
  return true;
}

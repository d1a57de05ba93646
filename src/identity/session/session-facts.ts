/** What is known of a person by a session: the facts that the gate asks about on every request. */
import { hash } from "node:crypto";
import type { CredentialFacts } from "../../model/facts.ts";
import { type ClaimFault, createClaimMapper } from "../claims/claims.ts";
import { readActor } from "../claims/confirmation.ts";
import type { PrincipalOptions } from "../claims/principal-options.ts";
import { readRegisteredClaims } from "../claims/registered-claims.ts";
import type { SessionContent } from "./session-content.ts";

export interface SessionFactsOptions {
  readonly name: string;
  readonly clientId: string;
  readonly principal: PrincipalOptions;
}

export interface SessionMoment {
  /** After it the session is over; milliseconds. */
  readonly endsMs: number;
  readonly nowMs: number;
  readonly valid: () => boolean;
}

export type MakeSessionFacts = (
  content: SessionContent,
  moment: SessionMoment,
) => CredentialFacts | ClaimFault;

/**
 * A session is for whoever verifies it, so it has no audience. Its id is what revocations name, and what
 * records carry is a hash of it: both stay the same while cookies come and go.
 */
export function createSessionFacts({
  name,
  clientId,
  principal: options,
}: SessionFactsOptions): MakeSessionFacts {
  const mapper = createClaimMapper(name, options);
  const noAudience: readonly string[] = Object.freeze([]);
  return ({ id, claims, beganMs }, { endsMs, nowMs, valid }) => {
    const principal = mapper.principal(claims);
    if ("fault" in principal) return principal;
    const device = mapper.device(claims);
    if (device !== undefined && "fault" in device) return device;
    const actor = readActor(claims, name);
    if (actor !== undefined && "fault" in actor) return actor;
    const registered = readRegisteredClaims({ ...claims, exp: Math.floor(endsMs / 1000) });
    if ("fault" in registered) return registered;
    return Object.freeze({
      principal,
      authenticator: name,
      kind: "oidc",
      credentialHash: hash("sha256", id, "base64url"),
      expiresAt: endsMs / 1000,
      notBefore: undefined,
      // Another replica's clock may be ahead of ours; it is no later than now, whatever it says.
      issuedAt: Math.floor(Math.min(beganMs, nowMs) / 1000),
      clockSkew: 0,
      audience: undefined,
      acceptedAudience: noAudience,
      scopes: noAudience,
      tokenId: id,
      clientId,
      acr: registered.acr,
      amr: registered.amr,
      authenticatedAt: registered.authenticatedAt,
      confirmation: undefined,
      actor,
      device,
      valid,
    });
  };
}

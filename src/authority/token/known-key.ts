/** A key of ours that a client shows to the endpoints beside the token endpoint. */
import { readJws } from "../../crypto/jws.ts";
import { checkFacts } from "../../identity/checks.ts";
import { type CredentialFacts, isFailure } from "../../model/facts.ts";
import type { JsonObject } from "../../model/json.ts";
import type { TokenCall } from "./token-call.ts";

export interface KnownKey {
  readonly facts: CredentialFacts;
  readonly claims: JsonObject;
  /** `jti`. */
  readonly id: string;
  /** Names of services. */
  readonly audience: readonly string[];
}

/** Undefined for what is no key of ours, or none any more: expired, revoked, of a key that is gone. */
export async function knownKey(
  { tokens, own }: TokenCall,
  token: string,
): Promise<KnownKey | undefined> {
  const facts = await tokens.keys.verify(token);
  if (isFailure(facts) || checkFacts(facts, own.timeMs, undefined) !== undefined) return undefined;
  const jws = readJws(token);
  if ("fault" in jws || facts.tokenId === undefined || own.revoked(facts)) return undefined;
  const { tokenId: id, services: audience = [] } = facts;
  return { facts, claims: jws.claims, id, audience };
}

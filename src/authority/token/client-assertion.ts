/**
 * `private_key_jwt`: a client proves who it is by a JWT that it signs for us (RFC 7523 section 3, OpenID
 * Connect Core section 9).
 *
 * Refuses what is not signed by a key that the client has with us, algorithms that are not that key's, what is
 * meant for somebody else or for several, what lives longer than some minutes, and what was used before. Where
 * it cannot be known whether it was, nobody is let in.
 */
import { hash } from "node:crypto";
import { canonicalAlgorithm, isAlgorithm } from "../../crypto/algorithms.ts";
import { readPublicKey, type VerificationKey } from "../../crypto/jwk.ts";
import { type UnverifiedJws, verifyJws } from "../../crypto/jws.ts";
import { SallyportError } from "../../model/errors.ts";
import type { RegisteredClient } from "../../model/issued-keys.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Reason } from "../../model/reason.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";

const LIMITS = {
  /** Seconds that one may live from now: it is made for one request. */
  lifetime: 300,
  /** Seconds by which clocks may differ. */
  skew: 30,
  /** `jti` is a random value; longer ones would only fill memory. */
  jtiChars: 256,
  /** Milliseconds that one is remembered beyond its end. */
  lateMs: 1000,
} as const;

/** Where used assertions are remembered. */
const SPACE = "client-assertions";

export interface AssertionRules {
  /** Our issuer, and URLs of the endpoint: `aud` has to be one of them. */
  readonly audience: readonly string[];
  readonly nowMs: number;
  readonly shared: SharedMemory;
}

export interface AssertionFault {
  readonly reason: Reason;
  /** For the operator; holds nothing of the assertion. */
  readonly detail: string;
}

/** Undefined: it is the client's. */
export async function verifyClientAssertion(
  jws: UnverifiedJws,
  client: Pick<RegisteredClient, "id" | "keys">,
  rules: AssertionRules,
): Promise<AssertionFault | undefined> {
  const said = readClaims(jws, client.id, rules);
  if ("reason" in said) return said;
  const signed = client.keys.some((jwk) => signedBy(jws, jwk));
  if (!signed) return wrong("no key of the client made the signature");
  return await usedUp(client.id, said, rules);
}

interface AssertionClaims {
  readonly jti: string;
  readonly exp: number;
  readonly iat: number | undefined;
}

function readClaims(
  { type, claims }: UnverifiedJws,
  id: string,
  { audience, nowMs }: AssertionRules,
): AssertionClaims | AssertionFault {
  const now = nowMs / 1000;
  const { iss, sub, aud, exp, nbf, iat, jti } = claims;
  // RFC 8725 section 3.11: an access token or a proof that a client signs elsewhere is none of these.
  const kind = type?.toLowerCase();
  if (kind !== undefined && kind !== "jwt" && kind !== "client-authentication+jwt") {
    return wrong("typ is neither JWT nor client-authentication+jwt");
  }
  if (iss !== id || sub !== id) return wrong("iss and sub are not both the client");
  // One audience alone: another that is named beside us could use it here.
  const [meant, ...others] = Array.isArray(aud) ? aud : [aud];
  if (typeof meant !== "string" || others.length > 0 || !audience.includes(meant)) {
    return wrong(`aud is not one of ${audience.join(", ")}, alone`);
  }
  if (typeof exp !== "number") return wrong("exp is absent or not a number");
  if (now >= exp + LIMITS.skew) return { reason: "token-expired", detail: "exp has passed" };
  if (exp > now + LIMITS.lifetime + LIMITS.skew) {
    return wrong(`it lives longer than ${LIMITS.lifetime} s`);
  }
  for (const [name, value] of [
    ["nbf", nbf],
    ["iat", iat],
  ] as const) {
    if (value === undefined) continue;
    if (typeof value !== "number") return wrong(`${name} is not a number`);
    if (value > now + LIMITS.skew) {
      return { reason: "token-not-yet-valid", detail: `${name} is ahead of us` };
    }
  }
  if (typeof jti !== "string" || jti === "" || jti.length > LIMITS.jtiChars) {
    return wrong(`jti is not a text of at most ${LIMITS.jtiChars} characters`);
  }
  return { jti, exp, iat: typeof iat === "number" ? iat : undefined };
}

/** Keys as they were imported; a client's stay the same objects until they are changed. */
const imported = new WeakMap<JsonObject, VerificationKey | string>();

function signedBy(jws: UnverifiedJws, jwk: JsonObject): boolean {
  const { algorithm, kid } = jws;
  if (!isAlgorithm(algorithm)) return false;
  let key = imported.get(jwk);
  if (key === undefined) imported.set(jwk, (key = readPublicKey(jwk)));
  if (typeof key === "string") return false;
  if (kid !== undefined && key.kid !== undefined && kid !== key.kid) return false;
  return key.algorithms.has(canonicalAlgorithm(algorithm)) && verifyJws(jws, algorithm, key);
}

async function usedUp(
  id: string,
  { jti, exp, iat }: AssertionClaims,
  { nowMs, shared }: AssertionRules,
): Promise<AssertionFault | undefined> {
  // Another client must not use up this one's.
  const key = hash("sha256", `${id}.${jti}`, "base64url");
  const ttlMs = Math.max(0, exp * 1000 - nowMs) + LIMITS.skew * 1000 + LIMITS.lateMs;
  try {
    if (!(await shared.claim(SPACE, key, Math.ceil(ttlMs)))) {
      return { reason: "replayed-assertion", detail: "jti was used before" };
    }
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return { reason: "memory-unavailable", detail: error.message };
  }
  // What was used before the memory was lost is not known any more.
  const made = (iat ?? exp - LIMITS.lifetime - LIMITS.skew) * 1000;
  if (made >= shared.since) return undefined;
  return { reason: "replayed-assertion", detail: "made before the memory of used ones was lost" };
}

function wrong(detail: string): AssertionFault {
  return { reason: "invalid-client", detail };
}

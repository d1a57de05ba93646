/**
 * `x-sallyport-assertion`: a JWT that says to one service who is calling (RFC 7519, RFC 8725).
 *
 * It is made of the facts of one credential and of nothing else: not of the request, not of the decision,
 * not of the connection. So it can be sent again for as long as it lives, and what another request of the
 * same connection showed can never stand in it. It lives a minute, and never longer than the
 * credential. Nothing is asserted of callers that nobody knows.
 */
import { Buffer } from "node:buffer";
import { signJws } from "../crypto/sign-jws.ts";
import type { AssertionClaim, AssertionOptions } from "../gate/identity-options.ts";
import { ASSERTION_TYPE } from "../model/assertion.ts";
import type { Actor, CredentialFacts } from "../model/facts.ts";
import { type AttributeValue, type Principal, principalId } from "../model/principal.ts";
import type { Signer } from "../model/signing.ts";

export const ASSERTION_LIMITS = {
  /** Seconds that it lives: as long as a request may be under way, too short to be worth stealing. */
  lifeSeconds: 60,
  /** Characters. nginx takes 8 KiB a field, Node 16 KiB for all of them; what is longer would be lost there. */
  chars: 8192,
} as const;

/** What one service's assertions say, and to whom. */
export interface AssertionSpec {
  readonly issuer: string;
  readonly audience: string;
  readonly claims: ReadonlySet<AssertionClaim>;
  readonly attributes: readonly string[];
}

export function assertionSpec(
  options: AssertionOptions,
  { issuer, service }: { readonly issuer: string; readonly service: string },
): AssertionSpec {
  const { audience = service, claims, attributes } = options;
  return { issuer, audience, claims: new Set(claims), attributes };
}

export interface Assertion {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
}

/** Undefined: it would be too long. */
export function makeAssertion(
  facts: CredentialFacts,
  spec: AssertionSpec,
  { signer, nowMs }: { readonly signer: Signer; readonly nowMs: number },
): Assertion | undefined {
  const issuedAt = Math.floor(nowMs / 1000);
  // The gate takes the credential to this moment, so that is when nobody is vouched for any more.
  const end = Math.ceil(facts.expiresAt + facts.clockSkew);
  const expiresAt = Math.min(issuedAt + ASSERTION_LIMITS.lifeSeconds, end);
  const text = JSON.stringify(claimsOf(facts, spec, { issuedAt, expiresAt }), exactly);
  const token = signJws(signer, { typ: ASSERTION_TYPE }, Buffer.from(text));
  return token.length > ASSERTION_LIMITS.chars ? undefined : { token, expiresMs: expiresAt * 1000 };
}

function claimsOf(
  facts: CredentialFacts,
  { issuer, audience, claims, attributes }: AssertionSpec,
  { issuedAt, expiresAt }: { readonly issuedAt: number; readonly expiresAt: number },
): Record<string, unknown> {
  const { principal, scopes, actor, device } = facts;
  const said: Record<string, unknown> = {
    iss: issuer,
    aud: audience,
    // RFC 7519 section 4.1.2: unique within the issuer, and two authenticators may know an "alice".
    sub: principalId(principal),
    iat: issuedAt,
    exp: expiresAt,
    kind: principal.kind,
    authenticator: principal.authenticator,
    subject: principal.subject,
  };
  if (claims.has("roles")) said["roles"] = principal.roles;
  if (claims.has("groups")) said["groups"] = principal.groups;
  // RFC 8693 section 4.2. No scope of verified facts has a space in it: they were split at spaces.
  if (claims.has("scope") && scopes.length > 0) said["scope"] = scopes.join(" ");
  if (claims.has("act") && actor !== undefined) said["act"] = actOf(actor);
  if (claims.has("authn")) Object.assign(said, authnOf(facts));
  if (claims.has("device") && device !== undefined) said["device"] = deviceOf(device);
  if (attributes.length > 0) said["attributes"] = chosen(principal.attributes, attributes);
  return said;
}

/** RFC 8693 section 4.1; subjects are those of the authenticator that says so. */
function actOf({ authenticator, subject, issuer, clientId, behind }: Actor): object {
  let inner: object | undefined;
  for (const sub of behind.toReversed()) inner = { sub: `${authenticator}/${sub}`, act: inner };
  const sub = `${authenticator}/${subject}`;
  return { sub, iss: issuer, client_id: clientId, act: inner };
}

function authnOf({ clientId, acr, amr, authenticatedAt }: CredentialFacts): object {
  return {
    client_id: clientId,
    acr,
    amr: amr.length === 0 ? undefined : amr,
    auth_time: authenticatedAt,
  };
}

function deviceOf(device: Principal): object {
  const { authenticator, subject, attributes } = device;
  return { sub: principalId(device), authenticator, subject, attributes };
}

/** Those that this principal has. */
function chosen(
  all: Readonly<Record<string, AttributeValue>>,
  names: readonly string[],
): Record<string, AttributeValue> {
  const said: Record<string, AttributeValue> = Object.create(null);
  for (const name of names) {
    const value = all[name];
    if (value !== undefined) said[name] = value;
  }
  return said;
}

/** Of both runtimes; the types do not know it yet. */
interface RawJson {
  rawJSON(text: string): unknown;
}

/** Whole numbers beyond 2^53 keep all of their digits. */
function exactly(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? (JSON as unknown as RawJson).rawJSON(String(value)) : value;
}

/**
 * What a key says, from what it is derived from and what is asked for (design section 5, rule 11).
 *
 * A key is never wider than its parents (services, scopes, requests), never longer, never unbound where
 * one of them is bound, and it names all of its ancestors. What is asked beyond that is refused, with the
 * error of the RFC whose parameter it is; nothing is granted in its place, except that a lifetime is cut
 * and details are narrowed, as the answer then says. That the parents are good, and their proofs shown, is
 * for who asks to see to.
 */
import type { AccessDetail, Ancestor } from "../model/access-detail.ts";
import type { CredentialFacts } from "../model/facts.ts";
import { KEY_KIND, type KeyBinding, type KeyClaims } from "../model/issued-keys.ts";
import type { JsonObject, JsonValue } from "../model/json.ts";
import { type Principal, principalId } from "../model/principal.ts";
import { ACCESS_DETAIL_LIMITS, accessDetailChars } from "../wire/access-details.ts";
import { actorsOf, ancestorsOf, type Parents } from "./key-lineage.ts";
import { meetDetails, withinServices } from "./narrow-details.ts";

/** An error of the token endpoint (RFC 6749 section 5.2, RFC 8693 section 2.2.2, RFC 9396 section 5). */
export interface KeyFault {
  readonly error:
    | "invalid_scope"
    | "invalid_target"
    | "invalid_request"
    | "invalid_authorization_details";
  /** Without anything of the request but names that are in the configuration. */
  readonly description: string;
}

export interface KeyParents extends Parents {
  readonly clientId: string;
}

/** Whose hands the key will belong in. */
export interface BoundTo {
  readonly by: Exclude<KeyBinding, "none">;
  /** base64url SHA-256: of the JWK (RFC 7638), or of the certificate (RFC 8705 section 3.1). */
  readonly thumbprint: string;
}

export interface AskedKey {
  /** Names of services that there are; empty: those that the parents are for. */
  readonly services: readonly string[];
  /** Undefined: those that the parents have, where these are keys of ours. */
  readonly scopes: readonly string[] | undefined;
  /** Undefined: as long as keys are when nobody says. */
  readonly lifetimeSeconds: number | undefined;
  /** Undefined: as the parents are narrowed. */
  readonly details: readonly AccessDetail[] | undefined;
  /** The proof that was shown with the request; undefined: none. */
  readonly boundTo: BoundTo | undefined;
}

export interface KeyLimits {
  readonly issuer: string;
  readonly nowMs: number;
  /** At least a second. */
  readonly defaultSeconds: number;
  readonly mostSeconds: number;
  /** `jti`; unguessable and never given twice. */
  readonly id: string;
}

/** What policies are asked about, and what is signed once they permit. */
export interface DerivedKey {
  readonly claims: KeyClaims;
  readonly services: readonly string[];
  readonly scopes: readonly string[];
  readonly lifetimeSeconds: number;
  readonly binding: KeyBinding;
  readonly details: readonly AccessDetail[] | undefined;
  readonly ancestors: readonly Ancestor[];
}

const LIMITS = {
  /** Services of one key: each is a question to policies. */
  services: 8,
  scopes: 64,
  scopeChars: 128,
  /** Bytes of all claims: as base64url with its signature it stays below 16 KiB, the most of a token. */
  claimBytes: 10 * 1024,
} as const;

export function deriveKey(
  parents: KeyParents,
  asked: AskedKey,
  limits: KeyLimits,
): DerivedKey | KeyFault {
  if (parents.subject.principal.kind === "anonymous") throw new TypeError("nobody gets no key");
  const services = servicesOf(parents, asked.services);
  if ("error" in services) return services;
  const scopes = scopesOf(parents, asked.scopes);
  if ("error" in scopes) return scopes;
  const details = detailsOf(parents, { asked: asked.details, services });
  if (details !== undefined && "error" in details) return details;
  const bound = boundOf(parents, asked.boundTo);
  if (bound !== undefined && "error" in bound) return bound;
  const times = timesOf(parents, asked.lifetimeSeconds, limits);
  if ("error" in times) return times;
  const lineage = lineageOf(parents);
  if ("error" in lineage) return lineage;
  const { act, ancestors } = lineage;
  const claims: KeyClaims = {
    iss: limits.issuer,
    sub: principalId(parents.subject.principal),
    aud: services.length === 1 ? (services[0] as string) : services,
    client_id: parents.clientId,
    ...times,
    jti: limits.id,
    scope: scopes.length === 0 ? undefined : scopes.join(" "),
    cnf: bound,
    act,
    authorization_details: details,
    ...authenticationOf(parents.subject),
    ...identityOf(parents.subject),
    ancestors,
  };
  if (Buffer.byteLength(JSON.stringify(claims)) > LIMITS.claimBytes) {
    return refuse("invalid_request", "the key would be too large: too many roles, groups or names");
  }
  return {
    claims,
    services,
    scopes,
    lifetimeSeconds: times.exp - times.iat,
    binding: asked.boundTo?.by ?? "none",
    details,
    ancestors,
  };
}

type Parent = CredentialFacts;

function each({ subject, actors }: Parents): readonly Parent[] {
  return [subject, ...actors];
}

/** API keys, too, can be for some services only. */
function servicesOf(parents: Parents, asked: readonly string[]): readonly string[] | KeyFault {
  let allowed: readonly string[] | undefined;
  for (const { services } of each(parents)) {
    if (services === undefined) continue;
    allowed = allowed === undefined ? services : allowed.filter((one) => services.includes(one));
  }
  const services = [...new Set(asked.length === 0 ? allowed : asked)];
  if (asked.length === 0 && allowed === undefined) {
    return refuse("invalid_request", "it does not say for which service: audience or resource");
  }
  if (services.length === 0) {
    return refuse("invalid_target", "the credentials that it is derived from share no service");
  }
  if (services.length > LIMITS.services) {
    return refuse("invalid_target", `more than ${LIMITS.services} services`);
  }
  if (services.some((one) => allowed?.includes(one) === false)) {
    return refuse("invalid_target", "a credential that it is derived from is not for that service");
  }
  return services;
}

/** RFC 6749 section 3.3: printable, without blanks, quotes and backslashes. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

function scopesOf(
  parents: Parents,
  asked: readonly string[] | undefined,
): readonly string[] | KeyFault {
  let allowed: readonly string[] | undefined;
  for (const { kind, scopes } of each(parents)) {
    // What another provider calls a scope is another word; policies say what its tokens can become.
    if (kind !== KEY_KIND && kind !== API_KEY_KIND) continue;
    allowed = allowed === undefined ? scopes : allowed.filter((one) => scopes.includes(one));
  }
  const scopes = [...new Set(asked ?? allowed)];
  if (scopes.length > LIMITS.scopes) {
    return refuse("invalid_scope", `more than ${LIMITS.scopes} scopes`);
  }
  if (!scopes.every((scope) => SCOPE.test(scope) && scope.length <= LIMITS.scopeChars)) {
    return refuse("invalid_scope", "a scope has characters that scopes cannot have, or too many");
  }
  if (scopes.some((scope) => allowed?.includes(scope) === false)) {
    return refuse("invalid_scope", "a key that it is derived from does not have that scope");
  }
  return scopes;
}

/** `kind` of facts of API keys, which our own authority makes as well. */
const API_KEY_KIND = "api-key";

function detailsOf(
  parents: Parents,
  {
    asked,
    services,
  }: {
    readonly asked: readonly AccessDetail[] | undefined;
    readonly services: readonly string[];
  },
): readonly AccessDetail[] | undefined | KeyFault {
  let details = asked;
  for (const { narrowed } of each(parents)) details = meetDetails(details, narrowed);
  if (details === undefined) return undefined;
  details = withinServices(details, services);
  if (details.length === 0) {
    const description = "no request would be left: not of that service, or not of its parents'";
    return refuse("invalid_authorization_details", description);
  }
  const { entries, chars } = ACCESS_DETAIL_LIMITS;
  if (details.length > entries || accessDetailChars(details) > chars) {
    return refuse("invalid_authorization_details", "what is left of them is too long for a key");
  }
  return details;
}

function boundOf(
  parents: Parents,
  boundTo: BoundTo | undefined,
): KeyClaims["cnf"] | undefined | KeyFault {
  for (const { confirmation } of each(parents)) {
    if (confirmation === undefined) continue;
    if (confirmation.other) {
      return refuse("invalid_request", "a credential is bound to what cannot be proven here");
    }
    if (boundTo === undefined) {
      const description = "a credential that it is derived from is bound, so the key has to be";
      return refuse("invalid_request", description);
    }
  }
  if (boundTo === undefined) return undefined;
  const { by, thumbprint } = boundTo;
  return by === "dpop" ? { jkt: thumbprint } : { "x5t#S256": thumbprint };
}

/** Whole seconds. The tolerance that others grant on a parent's times does not make the key longer. */
function timesOf(
  parents: Parents,
  askedSeconds: number | undefined,
  { nowMs, defaultSeconds, mostSeconds }: KeyLimits,
): Pick<KeyClaims, "iat" | "exp"> | KeyFault {
  const wanted = askedSeconds ?? defaultSeconds;
  if (!(wanted >= 1)) return refuse("invalid_request", "a lifetime of less than a second");
  const iat = Math.floor(nowMs / 1000);
  const ends = each(parents).map(({ expiresAt }) => expiresAt);
  const exp = Math.floor(Math.min(iat + wanted, iat + mostSeconds, ...ends));
  if (exp <= iat) {
    return refuse("invalid_request", "a credential that it is derived from ends within a second");
  }
  return { iat, exp };
}

function lineageOf(
  parents: Parents,
): { readonly act: JsonObject | undefined; readonly ancestors: readonly Ancestor[] } | KeyFault {
  // Who acts for the actor would be in the name of neither.
  if (parents.actors.some(({ actor }) => actor !== undefined)) {
    return refuse("invalid_request", "the actor's credential says itself that another acts");
  }
  const act = actorsOf(parents);
  if (act === undefined) return refuse("invalid_request", "too many actors, one behind the other");
  const ancestors = ancestorsOf(parents);
  if (ancestors === undefined) {
    return refuse("invalid_request", "it would be derived from too many credentials");
  }
  return { act: act === "none" ? undefined : act, ancestors };
}

function authenticationOf({
  acr,
  amr,
  authenticatedAt,
}: Parent): Pick<KeyClaims, "acr" | "amr" | "auth_time"> {
  return { acr, amr: amr.length === 0 ? undefined : amr, auth_time: authenticatedAt };
}

function identityOf({ principal, device }: Parent): Pick<KeyClaims, "principal" | "device"> {
  return { principal: said(principal), device: device && said(device) };
}

/** As a claim; the authenticator of type `sallyport` reads it back. */
function said(principal: Principal): JsonObject {
  const { kind, authenticator, subject, roles, groups, attributes } = principal;
  const values = Object.entries(attributes).map(([name, value]): [string, JsonValue] => [
    name,
    // Other readers of JSON would round it.
    typeof value === "bigint" ? String(value) : value,
  ]);
  return {
    kind,
    authenticator,
    subject,
    ...(roles.length === 0 ? {} : { roles }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(values.length === 0 ? {} : { attributes: Object.fromEntries(values) }),
  };
}

function refuse(error: KeyFault["error"], description: string): KeyFault {
  return { error, description };
}

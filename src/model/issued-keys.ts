/**
 * Provisioning keys: access tokens (RFC 9068) that our authority issues. What stands in one, what can be
 * asked for, and what issuing needs of the authority, as siblings and the layers above see them.
 *
 * Nothing in a key is secret. It is good for the services that it names, until it expires or anything that
 * it was derived from is taken away.
 */
import type { AccessDetail, Ancestor } from "./access-detail.ts";
import type { CredentialFacts } from "./facts.ts";
import type { JsonObject } from "./json.ts";
import type { Principal } from "./principal.ts";
import type { RevocationTarget } from "./revocation.ts";

/** `typ` of a key (RFC 9068 section 2.1). */
export const KEY_TYPE = "at+jwt";

/** `kind` of facts that come from one, and `context.authn.kind` in policies. */
export const KEY_KIND = "sallyport";

/** Id of the action that issuing is, on the service that the key is for. */
export const ISSUE_KEY_ACTION = "issueKey";

/** What a key is bound to. */
export type KeyBinding = "none" | "dpop" | "mtls";

/** The claims of a key; seconds since the epoch. */
export interface KeyClaims {
  readonly iss: string;
  /** `principalId` of the principal. */
  readonly sub: string;
  /** Names of services: one as text, several as a list. */
  readonly aud: string | readonly string[];
  readonly client_id: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly scope?: string | undefined;
  readonly cnf?: { readonly jkt?: string; readonly "x5t#S256"?: string } | undefined;
  readonly act?: JsonObject | undefined;
  readonly authorization_details?: readonly AccessDetail[] | undefined;
  readonly acr?: string | undefined;
  readonly amr?: readonly string[] | undefined;
  readonly auth_time?: number | undefined;
  /** Who it is, as the authenticator knew it that it was issued to; long integers may be as text. */
  readonly principal: JsonObject;
  /** The device that its first credential named beside it, in the same way. */
  readonly device?: JsonObject | undefined;
  /** Nearest first. */
  readonly ancestors?: readonly Ancestor[] | undefined;
}

/** How a grant came to ask, as policies see it in `context.grant`. */
export type IssueGrant = "client-credentials" | "token-exchange" | "jwt-bearer";

/** What policies are asked about one principal before a key is issued; one question for each service. */
export interface IssueQuestion {
  /** `subject`: the key will stand for it; `actor`: it will act for the subject. */
  readonly as: "subject" | "actor";
  /** Its own credential: the principal is in it. */
  readonly facts: CredentialFacts;
  readonly service: string;
  readonly grant: IssueGrant;
  readonly scopes: readonly string[];
  readonly lifetimeSeconds: number;
  readonly binding: KeyBinding;
  /** Whether `authorization_details` narrow it. */
  readonly narrowed: boolean;
  readonly clientId: string;
  /** Whose key it will be, for the actor's question; who will act, for the subject's. */
  readonly other?: Principal | undefined;
}

/** What a record says of a key that was issued. */
export interface RecordedKey {
  /** `jti`. */
  readonly id: string;
  readonly audience: readonly string[];
  readonly scopes: readonly string[];
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly binding: KeyBinding;
  readonly clientId: string;
  readonly details?: readonly AccessDetail[] | undefined;
  readonly ancestors: readonly Ancestor[];
}

/** A client that is declared or registered, with the ways in which it proves who it is. */
export interface RegisteredClient {
  /** `client_id`. */
  readonly id: string;
  /** A workload, vouched for by the authenticator of type `sallyport`. */
  readonly principal: Principal;
  /** Public keys (RFC 7517) for `private_key_jwt`; several while one takes another's place. */
  readonly keys: readonly JsonObject[];
  /** base64url SHA-256 of certificates (RFC 8705 section 2.2, as `x5t#S256`). */
  readonly certificates: readonly string[];
  /** base64url SHA-256 of secrets; the loud last resort. */
  readonly secrets: readonly string[];
  /** Where it comes from. */
  readonly source: "declared" | "registered";
}

/** What issuing needs of the authority: in its own process at once, in a worker by asking its supervisor. */
export interface KeyIssuing {
  /** `iss`. */
  readonly issuer: string;
  /** Signs the claims as compact JWS of type KEY_TYPE. Throws or rejects with `signing-unavailable`. */
  sign(claims: KeyClaims): string | Promise<string>;
  /** One that was registered with the authority; undefined: there is none. Rejects with `store-unavailable`. */
  client(id: string): Promise<RegisteredClient | undefined>;
  /** Told of each key that a registered client got. Never throws. */
  used(clientId: string, nowMs: number): void;
  /** Takes a key, and with it all that was derived from it, away until it has expired by itself. */
  revoke(
    target: RevocationTarget,
    until: { readonly expiresMs: number; readonly by: string },
  ): Promise<void>;
}

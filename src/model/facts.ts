import type { AccessDetail, Ancestor } from "./access-detail.ts";
import type { Reason } from "./reason.ts";
import type { Principal } from "./principal.ts";

/**
 * What was verified about one credential. Facts are cached, outcomes never: expiry, revocation,
 * audience and the sender's proof are looked at on every request.
 *
 * Times are seconds since the epoch (RFC 7519 NumericDate), clock skew not yet applied.
 */
export interface CredentialFacts {
  readonly principal: Principal;
  /** Name of the authenticator that verified it. */
  readonly authenticator: string;
  /** The type of its authenticator: `jwt`, `introspection`, `mtls`, … */
  readonly kind: string;
  /** base64url SHA-256 of the whole credential; what records carry instead of it. */
  readonly credentialHash: string;
  /** `exp`. After it the credential is dead. */
  readonly expiresAt: number;
  /** `nbf`, or undefined. */
  readonly notBefore: number | undefined;
  /** `iat`, or undefined. */
  readonly issuedAt: number | undefined;
  /** Seconds of tolerance that its authenticator grants on these times. */
  readonly clockSkew: number;
  /**
   * `aud` as a list. Undefined for what is shown to whoever verifies it (certificates, sessions, API
   * keys): then no audience is asked for. A token without `aud` has an empty list, which fits none.
   */
  readonly audience: readonly string[] | undefined;
  /** The authenticator's own audience list; applies where the route names none. */
  readonly acceptedAudience: readonly string[];
  /** The only services that it may be presented to; undefined or left out: any that takes it. */
  readonly services?: readonly string[] | undefined;
  /** Requests that it is good for, where it was narrowed: those that fit one entry. Left out: any. */
  readonly narrowed?: readonly AccessDetail[] | undefined;
  /** What it was derived from, the nearest first: revoking any of these revokes it. Left out: nothing. */
  readonly ancestors?: readonly Ancestor[] | undefined;
  /** `scope`/`scp`, split. */
  readonly scopes: readonly string[];
  /** `jti`, or undefined. */
  readonly tokenId: string | undefined;
  /** `client_id`/`azp`, or undefined. */
  readonly clientId: string | undefined;
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  /** When the user authenticated (`auth_time`), or undefined. */
  readonly authenticatedAt: number | undefined;
  /** The sender's key or certificate that it is bound to (`cnf`), which has to be proven with every request. */
  readonly confirmation: Confirmation | undefined;
  /** Who acts for the principal (RFC 8693 section 4.1, `act`); the principal stays the subject. */
  readonly actor: Actor | undefined;
  /** The device that the credential names beside its principal. */
  readonly device: Principal | undefined;
  /** False once the key that verified it left its set or the set passed its bound. Checked on every use. */
  readonly valid: () => boolean;
  /**
   * Whether whoever issued it has ended it since: asked once more after a wait. Left out: there is
   * nothing to be asked beyond `valid`.
   */
  readonly ended?: (() => boolean) | undefined;
  /** Told of each request that it lets in, for those who look after it. Left out: nobody does. */
  readonly used?: ((nowMs: number) => void) | undefined;
}

/**
 * What a credential is bound to (RFC 7800). Each one that is named has to be proven; `other` stands for
 * a confirmation that nobody here can check, so such a credential is never good.
 */
export interface Confirmation {
  /** `jkt`: base64url SHA-256 thumbprint of the sender's key (RFC 9449 section 6.1, RFC 7638). */
  readonly keyThumbprint: string | undefined;
  /** `x5t#S256`: base64url SHA-256 of the sender's certificate (RFC 8705 section 3.1). */
  readonly certificateThumbprint: string | undefined;
  readonly other: boolean;
}

/** Who acts for somebody else; the one that acts now, and whom it acts through. */
export interface Actor {
  /** Name of the authenticator that says so. */
  readonly authenticator: string;
  readonly subject: string;
  /** `iss` of the actor's own identity, where it is said. */
  readonly issuer: string | undefined;
  readonly clientId: string | undefined;
  /** Subjects of the nested `act`, the latest first: informational (RFC 8693 section 4.1). */
  readonly behind: readonly string[];
}

/** What came of a credential. */
export type Verified = CredentialFacts | CredentialFailure;

/** A credential that was presented and is not good. */
export interface CredentialFailure {
  readonly failure: Reason;
  /** For the operator; never holds the credential or a part of it. */
  readonly detail: string;
  /** Authenticator that refused it, when one was responsible. */
  readonly authenticator?: string;
  /** base64url SHA-256 of the credential. */
  readonly credentialHash?: string;
  /** Whether work (a signature check) was spent on it: then it counts against the caller's budget. */
  readonly costly: boolean;
}

export function isFailure(
  result: CredentialFacts | CredentialFailure,
): result is CredentialFailure {
  return "failure" in result;
}

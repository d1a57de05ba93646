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
  /** What it was: `jwt`; later `introspection`, `mtls`, … */
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
  /** `aud` as a list. */
  readonly audience: readonly string[];
  /** The authenticator's own audience list; applies where the route names none. */
  readonly acceptedAudience: readonly string[];
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
  /** Whether the credential is bound to a key (`cnf`). */
  readonly bound: boolean;
  /** False once the key that verified it left its set or the set passed its bound. Checked on every use. */
  readonly valid: () => boolean;
}

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

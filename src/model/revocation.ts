/**
 * Revocation, the mechanism (design section 5, rule 12): what can be named, and how the request path
 * asks. The list itself is in `keys/`.
 */
import type { CredentialFacts } from "./facts.ts";

/** What a revocation names. Values are as facts carry them. */
export type RevocationTarget =
  /** One credential: `jti` of that authenticator's tokens. */
  | { readonly kind: "id"; readonly authenticator: string; readonly id: string }
  /** Everything of one subject: `<authenticator>/<subject>`. */
  | { readonly kind: "subject"; readonly authenticator: string; readonly subject: string }
  /** Everything that an authenticator vouches for. */
  | { readonly kind: "authenticator"; readonly authenticator: string }
  /** Everything that is presented to one service. */
  | { readonly kind: "service"; readonly service: string };

export type RevocationKind = RevocationTarget["kind"];

/**
 * `revoke`: what was issued until now (`iat` not later than the cut-off plus skew, or absent) is dead,
 * what is issued later is good. `block`: nothing is good until it is lifted or expires.
 */
export type RevocationMode = "revoke" | "block";

/**
 * As the feed carries it: the target only as its digest, which is compact and names nobody. One entry
 * a target, which may be revoked and blocked at once. Times are milliseconds since the epoch.
 */
export interface RevocationEntry {
  /** `revocationDigest(target)`: the first 16 bytes of SHA-256, base64url (22 characters). */
  readonly digest: string;
  /** What was issued until then, by the store's clock, is dead; undefined: not revoked. */
  readonly cutoffMs: number | undefined;
  /** Blocked until then; `NEVER`: until lifted; undefined: not blocked. */
  readonly blockedUntilMs: number | undefined;
  /** After it the entry can go: nothing that it denies is alive. `NEVER` where it stays. */
  readonly expiresMs: number;
}

/** A time that does not come. */
export const NEVER: number = Number.MAX_SAFE_INTEGER;

/** What the gate asks on every request. Synchronous, and about a microsecond. */
export interface Revocations {
  /**
   * Changes whenever an answer may have: open streams are decided again. What was good at a version
   * stays good at it: time only ends what denies.
   */
  readonly version: number;
  /**
   * Whether this is recent enough to be believed at `nowMs`; with a feed: heard within its bound.
   * False denies every request (`feed-stale`).
   */
  fresh(nowMs: number): boolean;
  /**
   * The kind of entry that denies this credential on that service, or undefined. By service only a
   * `revoke`; a `block` by service is the next question, since it is no fault of the credential.
   */
  revokedBy(facts: CredentialFacts, service: string | undefined): RevocationKind | undefined;
  /** Whether every caller, anonymous ones too, is kept from this service (a `block` by service). */
  blocksService(service: string | undefined): boolean;
  /** Calls `changed` after each change of `version`. Returns the function that ends it. */
  watch(changed: () => void): () => void;
  /** The gate tells of each request that it denied by an answer of the above. For metrics. */
  denied(by: RevocationKind): void;
}

/** Where no authority is configured there is nothing to revoke, and nothing to be late with. */
export const NO_REVOCATIONS: Revocations = Object.freeze({
  version: 0,
  fresh: () => true,
  revokedBy: () => undefined,
  blocksService: () => false,
  watch: () => () => undefined,
  denied: () => undefined,
});

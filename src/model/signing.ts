/** Keys that sign on our behalf, as siblings and the layers above see them. */
import type { JsonObject } from "./json.ts";

/**
 * One key per use: what is signed for one purpose never verifies for another (design section 5, rule 14).
 * With `checkpoints` nothing is signed yet: an audit log has a key of its own, which it needs no authority for.
 */
export const KEY_USES = ["tokens", "assertions", "cookies", "checkpoints", "feed"] as const;
export type KeyUse = (typeof KEY_USES)[number];

/** Both take the same keys on both runtimes; EdDSA signs in a third of the time. */
export const SIGNING_ALGORITHMS = ["EdDSA", "ES256"] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** A private key in use now. */
export interface Signer {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  /** The raw signature of JWS (RFC 7515 appendix A; ES256 as r||s). */
  sign(bytes: Uint8Array): Buffer;
}

/** Public halves with their times, as the feed carries them and `/.well-known/` shows them. */
export interface PublishedKey {
  readonly kid: string;
  readonly use: KeyUse;
  readonly algorithm: SigningAlgorithm;
  /** Public JWK (RFC 7517) with `kid`, `alg`, `use: "sig"`. */
  readonly jwk: JsonObject;
  /** Signatures are made from here on, in milliseconds since the epoch; it is published before. */
  readonly activeMs: number;
  /** No signature is made from here on. */
  readonly retiredMs: number;
  /** It is published, and verifies, until here. */
  readonly removedMs: number;
  /** The machine that signs with it; undefined: the authority does, or this process itself. */
  readonly machine?: string | undefined;
}

/** What the authority says of its keys, as it was last heard. Synchronous: asked on requests. */
export interface PublishedKeys {
  /** Changes whenever the list may have. */
  readonly version: number;
  /** Those of a use that the authority itself signs with. */
  of(use: KeyUse): readonly PublishedKey[];
}

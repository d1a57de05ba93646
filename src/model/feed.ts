/**
 * What the authority tells proxies: state as numbered changes. In one process it is handed over in
 * memory; between processes it goes as signed frames (`authority/feed/feed-frames.ts`).
 */
import type { ApiKeyEntry } from "./api-keys.ts";
import type { PublishedKey } from "./signing.ts";
import type { RevocationEntry } from "./revocation.ts";

/** One step of the state. Applying all in order from a snapshot on gives the state of the authority. */
export interface FeedChange {
  readonly revocations: readonly RevocationEntry[];
  /** Digests of revocations that were lifted. */
  readonly lifted: readonly string[];
  /** API keys that are new, or have changed. Left out: none. */
  readonly apiKeys?: readonly ApiKeyEntry[] | undefined;
  /** Ids of API keys that were removed. Left out: none. */
  readonly apiKeysGone?: readonly string[] | undefined;
  /** The key under which API keys are hashed, where it changed: base64url; empty: there is none. A secret. */
  readonly apiKeyMac?: string | undefined;
  /** All published keys, where they changed. */
  readonly keys: readonly PublishedKey[] | undefined;
  /** The bundle that this follower is to run, where it changed: `sha256-<base64url>`; empty: none. */
  readonly bundle: string | undefined;
  /** PEM of the certificate authorities that enrolled machines are known by, where they changed. */
  readonly authorities: readonly string[] | undefined;
  /** Names of machines that are kept out although their certificates are good, where they changed. */
  readonly disabled: readonly string[] | undefined;
}

/** Where a reader stands. */
export interface FeedPosition {
  readonly epoch: string;
  readonly number: number;
}

/**
 * What a follower applies; the proxy's side. `reset`: a snapshot begins, further parts of which may
 * follow. What was there before counts beside it until `current` is called, which says that the
 * snapshot is whole: nobody who was denied is let in while it comes. Neither verb may throw.
 */
export interface FeedConsumer {
  apply(change: FeedChange, at: FeedPosition, options: { readonly reset: boolean }): void;
  /** The authority vouches: all of its changes up to here were known at `asOfMs`. */
  current(at: FeedPosition, asOfMs: number): void;
}

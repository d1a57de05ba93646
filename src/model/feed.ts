/**
 * What the authority tells proxies: state as numbered changes. In one process it is handed over in
 * memory; between processes it goes as signed frames (`authority/feed-frames.ts`).
 */
import type { PublishedKey } from "./signing.ts";
import type { RevocationEntry } from "./revocation.ts";

/** One step of the state. Applying all in order from a snapshot on gives the state of the authority. */
export interface FeedChange {
  readonly revocations: readonly RevocationEntry[];
  /** Digests of revocations that were lifted. */
  readonly lifted: readonly string[];
  /** All published keys, where they changed. */
  readonly keys: readonly PublishedKey[] | undefined;
  /** The bundle that this follower is to run, where it changed: `sha256-<base64url>`. */
  readonly bundle: string | undefined;
  /** PEM of the certificate authorities that enrolled machines are known by, where they changed. */
  readonly authorities: readonly string[] | undefined;
}

/** Where a reader stands. */
export interface FeedPosition {
  readonly epoch: string;
  readonly number: number;
}

/** What a follower applies; the proxy's side. `reset`: forget everything first (a snapshot begins). */
export interface FeedConsumer {
  apply(change: FeedChange, at: FeedPosition, options: { readonly reset: boolean }): void;
  /** The authority vouches: all of its changes up to here were known at `asOfMs`. */
  current(at: FeedPosition, asOfMs: number): void;
}

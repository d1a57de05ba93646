/**
 * Durable state, as everybody but `store/` sees it: documents in collections, changed in numbered
 * commits. Two engines keep it (SQLite, Postgres) and pass one suite (`test/store/contract.ts`).
 *
 * Commits are numbered by a single-row counter in the same transaction, so numbers become visible in
 * their order: whoever has read up to a number and asks for what came after it misses nothing.
 */
import type { JsonObject } from "./json.ts";

/** The kinds of state. A document's id is unique within its collection. */
export const COLLECTIONS = [
  /** Private keys (sealed) with their schedule: `keys/`. */
  "signing-keys",
  /** The small CA of enrolled machines (sealed): `keys/`. */
  "certificate-authorities",
  /** Who is enrolled, and by which public key or certificate. */
  "workloads",
  /** When enrolled machines were last there. By itself, so that being seen is no change of a workload. */
  "last-seen",
  /** Public keys that machines sign assertions with. */
  "assertion-keys",
  /** Hashes of join tokens that can still be redeemed. */
  "join-tokens",
  /** Cut-offs and blocks. */
  "revocations",
  /** API keys: keyed hashes with whose they are and what they may. */
  "api-keys",
  /** When API keys were last used. By itself, so that being used is no change of a key. */
  "api-key-uses",
  /** The key of those hashes (sealed): `keys/`. */
  "mac-keys",
  /** Clients of the token endpoint: public keys, thumbprints and hashes of secrets, and what each may. */
  "clients",
  /** When clients last got a key. By itself, as of API keys. */
  "client-uses",
  /** What configuration and policies the authority publishes; newest by number. */
  "bundles",
  /** Answers already given to admin requests with an idempotency key. */
  "idempotency",
  /** One-of-a-kind facts: the epoch, the last rotation. */
  "facts",
] as const;

export type Collection = (typeof COLLECTIONS)[number];

export interface StoredDocument {
  readonly collection: Collection;
  readonly id: string;
  /** Undefined: it was removed by the commit of that number, or has expired. Only `changes` shows such. */
  readonly body: JsonObject | undefined;
  /** The commit that last wrote it; also what `expect` compares and what ETags are made of. */
  readonly number: number;
  /** The store's own clock at that commit, in milliseconds since the epoch. Cut-offs count by it. */
  readonly timeMs: number;
  /** After it the document counts as absent and may be purged; undefined: it stays. */
  readonly expiresMs: number | undefined;
}

export interface Write {
  readonly collection: Collection;
  readonly id: string;
  /** Undefined removes it. */
  readonly body: JsonObject | undefined;
  readonly expiresMs?: number | undefined;
  /** The number that the document must have now, or `absent`; left out: whatever it is. */
  readonly expect?: number | "absent" | undefined;
}

/** What became of a commit: all of its writes, or none. */
export type Commit =
  | { readonly number: number; readonly timeMs: number; readonly conflict?: undefined }
  /** The first write whose expectation does not hold. */
  | { readonly conflict: { readonly collection: Collection; readonly id: string } };

export interface Changes {
  /** In the order of their numbers; of one document only its newest state. Whole commits. */
  readonly documents: readonly StoredDocument[];
  /** All up to this number has been seen. */
  readonly upTo: number;
  /** More is there after `upTo`. */
  readonly more: boolean;
  /**
   * True: `since` lies before what is still remembered of removals, or was never given out. Then
   * `documents` is empty and `upTo` is `since`; read everything anew, from 0 on.
   */
  readonly gap: boolean;
}

/**
 * Every verb rejects with SallyportError `store-unavailable` where the state cannot be reached now
 * (nothing was changed, or it cannot be known: a commit may be repeated with its expectations), and
 * `store-failed` where it is damaged or does not fit this version.
 */
export interface Store {
  /** Random, made with the store and renewed by a restore: numbers of two epochs do not compare. */
  epoch(): Promise<string>;
  get(collection: Collection, id: string): Promise<StoredDocument | undefined>;
  /** By id in the order of code points (of UTF-8 bytes), from after `after` on. `limit` from 1 to 10 000. */
  list(
    collection: Collection,
    options: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly StoredDocument[]>;
  /** What commits after `since` wrote and removed. `limit` is a number of documents, exceeded rather than a commit split. */
  changes(since: number, limit: number): Promise<Changes>;
  /** The last commit's number and the store's clock: also the cheapest proof that it can be read. */
  now(): Promise<{ readonly number: number; readonly timeMs: number }>;
  /** All writes or none. 1 to 1 000 writes. */
  commit(writes: readonly Write[]): Promise<Commit>;
  /**
   * Calls `changed` soon after a commit, of this process or another; several commits may be one call,
   * and a call may come without a change. Returns the function that ends it.
   */
  watch(changed: () => void): () => void;
  /** Removes what has expired, and forgets removals older than `keepRemovalsMs`. Resolves to the number of documents removed. */
  purge(keepRemovalsMs: number): Promise<number>;
  close(): Promise<void>;
}

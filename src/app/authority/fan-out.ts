/**
 * Hands on what one follower of a feed hears to several consumers in this process or beside it, of
 * whom some come later: the workers of a supervisor. It remembers what has been heard, so that who
 * comes later gets all of it first.
 */
import { NO_NEWS, type SettingsNews } from "../../authority/feed/feed-settings.ts";
import { unpackRevocations } from "../../authority/state/revocation-pack.ts";
import { ApiKeyTable } from "../../keys/api-key-table.ts";
import { KnownRevocations } from "../../authority/state/known-revocations.ts";
import type { FeedChange, FeedConsumer, FeedPosition } from "../../model/feed.ts";
import type { Clock } from "../../model/ports.ts";

const LIMITS = {
  /** Entries handed over at once. */
  step: 8192,
  /** About the bytes of API keys in one step. */
  stepBytes: 400 * 1024,
} as const;

export interface FanOutOptions {
  readonly clock: Clock;
  /** Whether any comes later: where none does, what has been heard is not held a second time. */
  readonly late: boolean;
}

export class FanOut implements FeedConsumer {
  readonly #clock: Clock;
  readonly #late: boolean;
  readonly #consumers = new Set<FeedConsumer>();
  readonly #table = new KnownRevocations();
  readonly #apiKeys = new ApiKeyTable();
  #settings: SettingsNews = NO_NEWS;
  #at: FeedPosition | undefined;
  #asOfMs = 0;

  constructor({ clock, late }: FanOutOptions) {
    this.#clock = clock;
    this.#late = late;
  }

  get position(): FeedPosition | undefined {
    return this.#at;
  }

  get asOfMs(): number {
    return this.#asOfMs;
  }

  apply(change: FeedChange, at: FeedPosition, options: { readonly reset: boolean }): void {
    if (this.#late) this.#remember(change, options);
    this.#settings = {
      keys: change.keys ?? this.#settings.keys,
      bundle: change.bundle ?? this.#settings.bundle,
      authorities: change.authorities ?? this.#settings.authorities,
      disabled: change.disabled ?? this.#settings.disabled,
      apiKeyMac: change.apiKeyMac ?? this.#settings.apiKeyMac,
    };
    this.#at = at;
    for (const consumer of this.#consumers) consumer.apply(change, at, options);
  }

  current(at: FeedPosition, asOfMs: number): void {
    this.#at = at;
    this.#asOfMs = asOfMs;
    for (const consumer of this.#consumers) consumer.current(at, asOfMs);
  }

  /** Throws TypeError for one that comes late where none was to. */
  follow(consumer: FeedConsumer): () => void {
    if (this.#at !== undefined) {
      if (!this.#late) throw new TypeError("what was heard before is not remembered");
      this.#tellAll(consumer, this.#at);
    }
    this.#consumers.add(consumer);
    return () => this.#consumers.delete(consumer);
  }

  #remember(change: FeedChange, { reset }: { readonly reset: boolean }): void {
    const { revocations, lifted, apiKeys = [], apiKeysGone = [] } = change;
    if (reset) {
      this.#table.clear();
      this.#apiKeys.clear();
    }
    for (const entry of revocations) this.#table.set(entry);
    for (const digest of lifted) this.#table.delete(digest);
    for (const entry of apiKeys) this.#apiKeys.set(entry);
    for (const id of apiKeysGone) this.#apiKeys.delete(id);
  }

  /**
   * Proofs of freshness go out each second, and this one is not repeated: what a consumer is told must
   * not be older than it seems, and while a snapshot is half way it would vouch for what is missing.
   */
  #tellAll(consumer: FeedConsumer, at: FeedPosition): void {
    this.#table.sweep(this.#clock.now(), this.#table.parts);
    let settings = this.#settings;
    let reset = true;
    for (const piece of this.#table.pieces(LIMITS.step).packed) {
      const revocations = unpackRevocations(piece) ?? [];
      consumer.apply({ revocations, lifted: [], ...settings }, at, { reset });
      settings = NO_NEWS;
      reset = false;
    }
    this.#apiKeys.sweep(this.#clock.now(), this.#apiKeys.parts);
    if (this.#apiKeys.size === 0) return;
    for (const apiKeys of this.#apiKeys.pieces(LIMITS.stepBytes).pieces) {
      const change = { revocations: [], lifted: [], apiKeys, ...NO_NEWS };
      consumer.apply(change, at, { reset: false });
    }
  }
}

/**
 * Hands on what one follower of a feed hears to several consumers in this process or beside it, of
 * whom some come later: the workers of a supervisor. It remembers what has been heard, so that who
 * comes later gets all of it first.
 */
import { NO_NEWS, type SettingsNews } from "../../authority/feed/feed-settings.ts";
import { unpackRevocations } from "../../authority/state/revocation-pack.ts";
import { KnownRevocations } from "../../authority/state/known-revocations.ts";
import type { FeedChange, FeedConsumer, FeedPosition } from "../../model/feed.ts";
import type { Clock } from "../../model/ports.ts";

const LIMITS = {
  /** Entries handed over at once. */
  step: 8192,
} as const;

export class FanOut implements FeedConsumer {
  readonly #clock: Clock;
  readonly #consumers = new Set<FeedConsumer>();
  readonly #table = new KnownRevocations();
  #settings: SettingsNews = NO_NEWS;
  #at: FeedPosition | undefined;
  #asOfMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get position(): FeedPosition | undefined {
    return this.#at;
  }

  get asOfMs(): number {
    return this.#asOfMs;
  }

  apply(change: FeedChange, at: FeedPosition, options: { readonly reset: boolean }): void {
    if (options.reset) this.#table.clear();
    for (const entry of change.revocations) this.#table.set(entry);
    for (const digest of change.lifted) this.#table.delete(digest);
    this.#settings = {
      keys: change.keys ?? this.#settings.keys,
      bundle: change.bundle ?? this.#settings.bundle,
      authorities: change.authorities ?? this.#settings.authorities,
      disabled: change.disabled ?? this.#settings.disabled,
    };
    this.#at = at;
    for (const consumer of this.#consumers) consumer.apply(change, at, options);
  }

  current(at: FeedPosition, asOfMs: number): void {
    this.#at = at;
    this.#asOfMs = asOfMs;
    for (const consumer of this.#consumers) consumer.current(at, asOfMs);
  }

  follow(consumer: FeedConsumer): () => void {
    if (this.#at !== undefined) this.#tellAll(consumer, this.#at);
    this.#consumers.add(consumer);
    return () => this.#consumers.delete(consumer);
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
  }
}

/**
 * One stream of the feed after the other: which authority is followed, when one is given up, and when the
 * next is tried. It knows nothing of what the lines say but whether they vouch for something new.
 */
import type { FeedPosition } from "../../model/feed.ts";
import type { Clock, Counter, Family, Log, Metrics, Timers } from "../../model/ports.ts";
import { type ClientIdentity, openStream } from "./feed-client.ts";
import { FeedRefusal } from "./feed-refusal.ts";

export interface FeedConnectionOptions {
  /** `https://host[:port]`, at least one. */
  readonly urls: readonly string[];
  readonly maxStalenessMs: number;
}

export interface FeedConnectionDeps {
  readonly identity: ClientIdentity;
  /** A stream begins. Says where it may go on; undefined: with a snapshot. */
  readonly begin: () => FeedPosition | undefined;
  /** One line of it. Throws FeedRefusal, which ends the stream. */
  readonly take: (line: Buffer) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
}

const LIMITS = {
  /** Without a line for so long the other end is gone: a proof of freshness comes each second. */
  silentMs: 5000,
  /** How often the above is looked at. */
  lookMs: 1000,
  /** From a stream's beginning to the first proof of freshness: a million revocations on a slow line. */
  openingMs: 120_000,
  firstRetryMs: 500,
  /** Well below the usual bound on staleness: who waits longer denies although its authority is back. */
  lastRetryMs: 4000,
  /** A stream that was good for so long makes the next attempt a first one. */
  steadyMs: 10_000,
  /** After a renewal of our own certificate the stream is made anew within so long. */
  renewedMs: 10_000,
} as const;

export class FeedConnection {
  readonly #options: FeedConnectionOptions;
  readonly #deps: FeedConnectionDeps;
  readonly #refused: Family<Counter>;
  readonly #connects: Family<Counter>;
  #url: number;
  #failures = 0;
  /** Why the last streams ended, and how many of them in a row: what is said once is not said each time. */
  #reason = "";
  #repeated = 0;
  #connected = false;
  #lastError: string | undefined;
  #endStream: () => void = () => undefined;
  #callOff: () => void = () => undefined;
  #callOffLook: () => void = () => undefined;
  #openedAt = 0;
  #heardAt = 0;
  #freshAt: number | undefined;
  #closed = false;

  constructor(options: FeedConnectionOptions, deps: FeedConnectionDeps) {
    this.#options = options;
    this.#deps = deps;
    const { urls } = options;
    this.#url = Math.min(Math.floor(deps.random() * urls.length), urls.length - 1);
    const { metrics } = deps;
    this.#refused = metrics.counter(
      "sallyport_feed_refused_total",
      "Streams of the feed that were given up because of what came over them, by why.",
      ["reason"],
    );
    this.#connects = metrics.counter(
      "sallyport_feed_connections_total",
      "Attempts to follow the feed, by outcome: opened, or failed before.",
      ["outcome"],
    );
    metrics.sampled("sallyport_feed_connected", "1 while a stream of the feed is open.", () =>
      this.#connected ? 1 : 0,
    );
  }

  /** The one that is followed, or was tried last. */
  get address(): URL {
    return this.addresses[0] as URL;
  }

  /** All of them, that one first. */
  get addresses(): readonly URL[] {
    const { urls } = this.#options;
    return urls.map((_, index) => new URL(urls[(this.#url + index) % urls.length] ?? ""));
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Why the last stream ended. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  start(): void {
    this.#look();
    this.#connect();
  }

  /** What this stream says vouches for something new. */
  vouched(): void {
    this.#freshAt = this.#deps.clock.monotonic();
  }

  /** Our certificate was renewed, and the stream still stands on the old one, which ends. */
  renew(): void {
    const { timers, random } = this.#deps;
    timers.after(random() * LIMITS.renewedMs, () => {
      if (!this.#connected || this.#closed) return;
      this.#endStream();
      this.#connected = false;
      this.#connect();
    });
  }

  close(): void {
    this.#closed = true;
    this.#endStream();
    this.#callOff();
    this.#callOffLook();
  }

  #connect(): void {
    if (this.#closed) return;
    const url = new URL("/feed", this.address);
    const position = this.#deps.begin();
    if (position !== undefined) {
      url.searchParams.set("epoch", position.epoch);
      url.searchParams.set("since", String(position.number));
    }
    this.#openedAt = this.#deps.clock.monotonic();
    this.#heardAt = this.#openedAt;
    this.#freshAt = undefined;
    const { identity, timers, log, take } = this.#deps;
    this.#endStream = openStream(url, identity, {
      timers,
      events: {
        opened: () => {
          this.#connected = true;
          this.#connects.with("opened").inc();
          log.info("following the feed", { authority: url.origin });
        },
        line: (line) => {
          this.#heardAt = this.#deps.clock.monotonic();
          take(line);
        },
        ended: (error) => this.#ended(error),
      },
    });
  }

  #ended(error: Error | undefined): void {
    const { timers, random, clock } = this.#deps;
    if (!this.#connected) this.#connects.with("failed").inc();
    this.#connected = false;
    this.#endStream = () => undefined;
    this.#lastError = error?.message ?? "the authority ended the stream";
    const steady =
      this.#freshAt !== undefined && clock.monotonic() - this.#openedAt > LIMITS.steadyMs;
    this.#failures = steady ? 0 : this.#failures + 1;
    this.#say(error);
    this.#url = (this.#url + 1) % this.#options.urls.length;
    const longest = Math.min(LIMITS.lastRetryMs, LIMITS.firstRetryMs * 2 ** this.#failures);
    // Full jitter: a thousand followers of one authority must not come again as one.
    this.#callOff = timers.after(Math.max(50, random() * longest), () => this.#connect());
  }

  /** Once in many of the same kind: an authority that is away for an hour fills no log. */
  #say(error: Error | undefined): void {
    const { log } = this.#deps;
    const authority = this.address.origin;
    const refusal = error instanceof FeedRefusal ? error : undefined;
    if (refusal !== undefined) this.#refused.with(refusal.reason).inc();
    const reason = refusal?.reason ?? "";
    this.#repeated = reason === this.#reason && this.#failures > 0 ? this.#repeated + 1 : 0;
    this.#reason = reason;
    if (!Number.isInteger(Math.log2(this.#repeated + 1))) return;
    if (refusal === undefined) {
      log.warn("the feed is not followed now", { authority, attempts: this.#failures, error });
    } else {
      log.error("what came over the feed is refused", { authority, reason, error });
    }
  }

  /** What is silent, or says only what is known, is given up. */
  #look(): void {
    this.#callOffLook = this.#deps.timers.after(LIMITS.lookMs, () => {
      this.#look();
      const nowMs = this.#deps.clock.monotonic();
      if (!this.#connected) return;
      if (nowMs - this.#heardAt > LIMITS.silentMs) this.#giveUp("it is silent");
      else if (this.#freshAt === undefined) {
        if (nowMs - this.#openedAt > LIMITS.openingMs) this.#giveUp("it does not come to an end");
      } else if (nowMs - this.#freshAt > this.#options.maxStalenessMs) {
        this.#giveUp("it vouches for nothing new");
      }
    });
  }

  #giveUp(why: string): void {
    this.#endStream();
    this.#ended(new Error(`${this.address.origin}: ${why}`));
  }
}

/**
 * What a peer may make us do for nothing, each as a bucket that fills with time and with what it is
 * a fair reaction to. A peer that empties one is told ENHANCE_YOUR_CALM and loses its connection,
 * and nobody else's (RFC 9113 section 10.5). Limits that are no rates stand where they are checked:
 * sizes of header blocks and numbers of CONTINUATION frames in wire/http2/frame-reader.ts, what a
 * peer leaves unread in outbox.ts.
 */

/** The names under which hits are counted. */
export const HTTP2_LIMITS = [
  "http2Streams",
  "http2Resets",
  "http2Settings",
  "http2Pings",
  "http2EmptyData",
  "http2WindowUpdates",
  "http2Priority",
  "http2Unknown",
  "http2Continuations",
  "http2HeaderBlock",
  "http2Unread",
] as const;

export type Http2Limit = (typeof HTTP2_LIMITS)[number];

interface Rate {
  /** At once. */
  readonly burst: number;
  readonly perSecond: number;
}

const RATES = {
  /**
   * Rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671): a stream that the peer resets before
   * it can have an answer, or makes us reset by breaking a rule on it, costs us all of the work and it
   * nothing, not even one of its places. People who leave a page reset some tens at once; attacks do
   * thousands per second. Behind a balancer many callers share a connection, so streams that end as
   * they should allow for more.
   */
  resets: { burst: 200, perSecond: 20 },
  /** CVE-2019-9515: each asks for an acknowledgement. Real peers send one or two in all. */
  settings: { burst: 32, perSecond: 1 },
  /** CVE-2019-9512: each asks for an answer. Clients that measure bandwidth ping once per burst of DATA. */
  pings: { burst: 100, perSecond: 5 },
  /** CVE-2019-9518: frames without a byte cost a call each and use up no window. */
  emptyData: { burst: 100, perSecond: 5 },
  /**
   * Small ones cost as much as large ones, and those that open a window by a byte make us send a frame
   * each (CVE-2019-9511). Real peers send one or two for each DATA frame.
   */
  windowUpdates: { burst: 1000, perSecond: 50 },
  /** CVE-2019-9513. Ignored here, so only their number matters; some clients send one per stream. */
  priority: { burst: 200, perSecond: 10 },
  /** Extensions are ignored (section 5.5): PRIORITY_UPDATE and grease are common, one or two per stream. */
  unknown: { burst: 200, perSecond: 10 },
} as const satisfies Record<string, Rate>;

/** What one thing that we sent or were sent allows besides. */
const CREDITS = {
  windowUpdatesPerData: 8,
  windowUpdatesPerStream: 4,
  pingsPerData: 1,
  signalsPerStream: 2,
  resetsPerEnded: 0.25,
} as const;

const LIMITS = {
  /** A reset after this time, or after the head of an answer, is no way to have more than one's places: it has waited. */
  hastyMs: 1000,
  /** What such a reset counts as: it still costs the service a connection. */
  patientReset: 0.1,
} as const;

export type FloodKind = keyof typeof RATES;

/** The name under which a bucket's emptying is counted. */
export const FLOOD_LIMITS: Readonly<Record<FloodKind, Http2Limit>> = {
  resets: "http2Resets",
  settings: "http2Settings",
  pings: "http2Pings",
  emptyData: "http2EmptyData",
  windowUpdates: "http2WindowUpdates",
  priority: "http2Priority",
  unknown: "http2Unknown",
};

class Bucket {
  readonly #rate: Rate;
  #left: number;
  #at = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#left = rate.burst;
  }

  /** Takes so much; false: there was less. `now` in monotonic milliseconds. */
  take(now: number, count = 1): boolean {
    const { burst, perSecond } = this.#rate;
    if (this.#at !== 0) {
      this.#left = Math.min(burst, this.#left + ((now - this.#at) * perSecond) / 1000);
    }
    this.#at = now;
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }

  credit(count: number): void {
    if (this.#left < this.#rate.burst) this.#left += count;
  }
}

export class Floods {
  readonly #buckets: Record<FloodKind, Bucket>;

  constructor() {
    this.#buckets = {
      resets: new Bucket(RATES.resets),
      settings: new Bucket(RATES.settings),
      pings: new Bucket(RATES.pings),
      emptyData: new Bucket(RATES.emptyData),
      windowUpdates: new Bucket(RATES.windowUpdates),
      priority: new Bucket(RATES.priority),
      unknown: new Bucket(RATES.unknown),
    };
  }

  /** Counts one; false: it is a flood. */
  allows(kind: FloodKind, now: number): boolean {
    return this.#buckets[kind].take(now);
  }

  /** Counts a stream that the peer reset; false: it is a flood. */
  allowsReset(
    stream: { readonly openedAt: number; readonly answered: boolean },
    now: number,
  ): boolean {
    const patient = stream.answered || now - stream.openedAt >= LIMITS.hastyMs;
    return this.#buckets.resets.take(now, patient ? LIMITS.patientReset : 1);
  }

  /** A stream has ended both ways. */
  streamEnded(): void {
    this.#buckets.resets.credit(CREDITS.resetsPerEnded);
  }

  /** A DATA frame went out: updates of windows and measurements answer it. */
  dataSent(): void {
    this.#buckets.windowUpdates.credit(CREDITS.windowUpdatesPerData);
    this.#buckets.pings.credit(CREDITS.pingsPerData);
  }

  streamOpened(): void {
    this.#buckets.windowUpdates.credit(CREDITS.windowUpdatesPerStream);
    this.#buckets.priority.credit(CREDITS.signalsPerStream);
    this.#buckets.unknown.credit(CREDITS.signalsPerStream);
  }
}

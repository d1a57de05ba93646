/**
 * The keys of one issuer, kept current.
 *
 * - Fetched ahead of time, so that no request waits for a key that the provider has published.
 * - An unknown `kid` fetches again, but only once per cooldown and one fetch at a time: a flood of
 *   invented `kid`s cannot be turned against the provider.
 * - While the provider is down, hangs or answers nonsense, the last good keys serve, up to a bound;
 *   beyond it nothing verifies, and what they verified before counts no more.
 * - A key that leaves the set takes everything that it verified with it.
 */
import type { Algorithm } from "../../crypto/algorithms.ts";
import { canonicalAlgorithm } from "../../crypto/algorithms.ts";
import { readKeySet, type VerificationKey } from "../../crypto/jwk.ts";
import type { JsonValue } from "../../model/json.ts";
import type { Clock, Counter, Gauge, Histogram, Log, Metrics, Timers } from "../../model/ports.ts";
import type { LoadKeySet } from "./key-set-source.ts";

/** A key while its issuer vouches for it. */
export interface TrustedKey {
  readonly key: VerificationKey;
  /** False once it left the set, or the set passed its bound. Never true again after that. */
  readonly valid: () => boolean;
}

/** Keys that may have signed, a few at most; or that there is no usable set. */
export type KeyAnswer = readonly TrustedKey[] | "unavailable";

export interface KeySet {
  /**
   * First fetch and the regular ones after it. Resolves when the first has ended, well or not; at
   * once where the set is usable already.
   */
  start(): Promise<void>;
  /**
   * Keys with this `kid` (without one: any) that fit the algorithm. A promise only where something
   * is fetched. Never rejects.
   */
  find(kid: string | undefined, algorithm: Algorithm): KeyAnswer | Promise<KeyAnswer>;
  /**
   * As `find`, after a fetch; undefined where none is due. For a signature that fits no key at hand:
   * some issuers change a key under the same `kid`, or name none.
   */
  findAgain(kid: string | undefined, algorithm: Algorithm): Promise<KeyAnswer> | undefined;
  /** Whether the set has this `kid`, for whatever algorithm. */
  has(kid: string): boolean;
  figures(): KeySetFigures;
  /** Stops fetching; its keys are valid no more. */
  close(): void;
}

/** How a set does, for operators. */
export interface KeySetFigures {
  /** Keys that may check signatures now. */
  readonly usable: number;
  /** When they last came, in milliseconds since the epoch; undefined: never, or from a file. */
  readonly fetchedMs: number | undefined;
  /** Fetches that have failed since. */
  readonly failures: number;
}

export interface KeySetOptions {
  /** For logs and metrics. */
  readonly authenticator: string;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  readonly cooldownMs: number;
  /** How long the last good set serves; undefined: for ever (a file). */
  readonly keepMs: number | undefined;
}

export interface KeySetDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}

const LIMITS = {
  /** Keys tried for one token: each costs a signature check, and a sane set has one that fits. */
  candidates: 4,
  /** Requests that wait for one fetch; beyond it they are answered at once. */
  waiting: 1024,
  /** What was fetched so lately is not fetched again because of a key that is not in it. */
  freshMs: 1000,
  /** Longest pause between attempts while the provider is down. */
  maxRetryMs: 60_000,
} as const;

/** Seconds: a neighbour answers in milliseconds, a fetch is given up after some seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A set that is fetched. */
export function createRemoteKeySet(
  load: LoadKeySet,
  options: KeySetOptions,
  deps: KeySetDeps,
): KeySet {
  return new RemoteKeySet(load, options, deps);
}

/** A set that was read from a file; it never changes. Throws SallyportError `key-invalid`. */
export function createFixedKeySet(
  document: JsonValue,
  report: { readonly authenticator: string; readonly log: Log },
): KeySet {
  let open = true;
  const content = readKeySet(document);
  const keys = content.keys.map((key) => ({ key, valid: () => open }));
  logSkipped(report.log, report.authenticator, content.skipped.join("; "));
  return {
    start: () => Promise.resolve(),
    find: (kid, algorithm) => (open ? fitting(keys, kid, algorithm) : "unavailable"),
    findAgain: () => undefined,
    has: (kid) => keys.some((entry) => entry.key.kid === kid),
    figures: () => ({ usable: open ? keys.length : 0, fetchedMs: undefined, failures: 0 }),
    close: () => {
      open = false;
    },
  };
}

interface Entry extends TrustedKey {
  live: boolean;
}

class RemoteKeySet implements KeySet {
  readonly #load: LoadKeySet;
  readonly #options: KeySetOptions;
  readonly #deps: KeySetDeps;
  readonly #fetched: { readonly ok: Counter; readonly failed: Counter };
  readonly #seconds: Histogram;
  readonly #keyCount: Gauge;
  readonly #loadedTimestamp: Gauge;
  #entries: readonly Entry[] = [];
  /** Monotonic ms of the last good answer. */
  #loadedAt = Number.NEGATIVE_INFINITY;
  /** The same in milliseconds since the epoch, for operators. */
  #loadedMs: number | undefined;
  /** Monotonic ms at which the last fetch began. */
  #askedAt = Number.NEGATIVE_INFINITY;
  /**
   * The same of those that a caller caused. After a regular one the whole cooldown would be too long: a
   * key that is rotated in right behind it would be refused all the while.
   */
  #causedAt = Number.NEGATIVE_INFINITY;
  #inFlight: Promise<void> | undefined;
  #waiting = 0;
  #failures = 0;
  #cancelNext: () => void = () => undefined;
  #skipped = "";
  #closed = false;

  constructor(load: LoadKeySet, options: KeySetOptions, deps: KeySetDeps) {
    this.#load = load;
    this.#options = options;
    this.#deps = deps;
    const name = options.authenticator;
    const fetches = deps.metrics.counter(
      "sallyport_key_set_fetches",
      "Fetches of an issuer's keys, by outcome.",
      ["authenticator", "outcome"],
    );
    this.#fetched = { ok: fetches.with(name, "ok"), failed: fetches.with(name, "failed") };
    this.#seconds = deps.metrics
      .histogram("sallyport_key_set_fetch_seconds", "How long a fetch of an issuer's keys took.", {
        buckets: BUCKETS,
        labels: ["authenticator"],
      })
      .with(name);
    this.#keyCount = deps.metrics
      .gauge("sallyport_key_set_keys", "Usable keys of an issuer.", ["authenticator"])
      .with(name);
    this.#loadedTimestamp = deps.metrics
      .gauge("sallyport_key_set_loaded_timestamp_seconds", "When an issuer's keys last came.", [
        "authenticator",
      ])
      .with(name);
  }

  start(): Promise<void> {
    return this.#usable() ? Promise.resolve() : this.#refresh();
  }

  find(kid: string | undefined, algorithm: Algorithm): KeyAnswer | Promise<KeyAnswer> {
    const answer = this.#answer(kid, algorithm);
    if (answer !== "unavailable" && answer.length > 0) return answer;
    return this.findAgain(kid, algorithm) ?? answer;
  }

  findAgain(kid: string | undefined, algorithm: Algorithm): Promise<KeyAnswer> | undefined {
    if (this.#closed) return undefined;
    const now = this.#deps.clock.monotonic();
    const { cooldownMs } = this.#options;
    const cooled =
      now - this.#causedAt >= cooldownMs &&
      now - this.#askedAt >= Math.min(cooldownMs, LIMITS.freshMs);
    const due = this.#inFlight === undefined ? cooled : this.#waiting < LIMITS.waiting;
    if (!due) return undefined;
    if (this.#inFlight === undefined) this.#causedAt = now;
    this.#waiting += 1;
    return this.#refresh().then(() => {
      this.#waiting -= 1;
      return this.#answer(kid, algorithm);
    });
  }

  has(kid: string): boolean {
    return this.#entries.some((entry) => entry.key.kid === kid);
  }

  figures(): KeySetFigures {
    return {
      usable: this.#usable() ? this.#entries.length : 0,
      fetchedMs: this.#loadedMs,
      failures: this.#failures,
    };
  }

  close(): void {
    this.#closed = true;
    this.#cancelNext();
  }

  #answer(kid: string | undefined, algorithm: Algorithm): KeyAnswer {
    return this.#usable() ? fitting(this.#entries, kid, algorithm) : "unavailable";
  }

  #usable(): boolean {
    const { keepMs = Number.POSITIVE_INFINITY } = this.#options;
    return !this.#closed && this.#deps.clock.monotonic() - this.#loadedAt <= keepMs;
  }

  /** One fetch at a time; whoever asks meanwhile gets the same promise. Never rejects. */
  #refresh(): Promise<void> {
    this.#inFlight ??= this.#fetch().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #fetch(): Promise<void> {
    this.#cancelNext();
    this.#askedAt = this.#deps.clock.monotonic();
    let nextMs: number;
    try {
      const { document, maxAgeSeconds } = await this.#load();
      this.#seconds.observe((this.#deps.clock.monotonic() - this.#askedAt) / 1000);
      if (this.#closed) return;
      this.#accept(document);
      nextMs = this.#refreshAfter(maxAgeSeconds);
    } catch (error) {
      if (this.#closed) return;
      nextMs = this.#fail(error);
    }
    this.#cancelNext = this.#deps.timers.after(nextMs, () => void this.#refresh());
  }

  #accept(document: JsonValue): void {
    const { keys, skipped } = readKeySet(document);
    const before = new Map(
      this.#usable() ? this.#entries.map((old) => [identity(old.key), old]) : [],
    );
    const entries = keys.map((key) => before.get(identity(key)) ?? this.#entry(key));
    const kept = new Set(entries);
    for (const old of this.#entries) if (!kept.has(old)) old.live = false;
    this.#entries = entries;
    this.#loadedAt = this.#deps.clock.monotonic();
    this.#loadedMs = this.#deps.clock.now();
    this.#failures = 0;
    this.#fetched.ok.inc();
    this.#keyCount.set(entries.length);
    this.#loadedTimestamp.set(this.#deps.clock.now() / 1000);
    this.#reportSkipped(skipped);
  }

  #entry(key: VerificationKey): Entry {
    const entry: Entry = { key, live: true, valid: () => entry.live && this.#usable() };
    return entry;
  }

  /** Says once what of a set is not used, not with every fetch. */
  #reportSkipped(skipped: readonly string[]): void {
    const text = skipped.join("; ");
    if (text !== this.#skipped) logSkipped(this.#deps.log, this.#options.authenticator, text);
    this.#skipped = text;
  }

  #refreshAfter(maxAgeSeconds: number | undefined): number {
    const { minRefreshMs, maxRefreshMs } = this.#options;
    const asked = maxAgeSeconds === undefined ? maxRefreshMs : maxAgeSeconds * 1000;
    return Math.min(Math.max(asked, minRefreshMs), maxRefreshMs);
  }

  /** Returns the pause before the next attempt: the cooldown, doubled with each failure. */
  #fail(error: unknown): number {
    const { authenticator, cooldownMs } = this.#options;
    this.#failures += 1;
    this.#fetched.failed.inc();
    const retryMs = Math.min(cooldownMs * 2 ** (this.#failures - 1), LIMITS.maxRetryMs);
    this.#deps.log.warn("an issuer's keys could not be fetched", {
      authenticator,
      usable: this.#usable(),
      retryMs,
      error: error instanceof Error ? error : new Error("not an error"),
    });
    return Math.max(retryMs, cooldownMs);
  }
}

function logSkipped(log: Log, authenticator: string, skipped: string): void {
  if (skipped !== "") log.warn("keys of an issuer are not used", { authenticator, skipped });
}

/** What makes a key the same key across fetches. */
function identity(key: VerificationKey): string {
  return [key.thumbprint, [...key.algorithms].join(), key.kid ?? ""].join(" ");
}

function fitting<T extends TrustedKey>(
  entries: readonly T[],
  kid: string | undefined,
  algorithm: Algorithm,
): readonly T[] {
  const name = canonicalAlgorithm(algorithm);
  const found = entries.filter(
    ({ key }) => (kid === undefined || key.kid === kid) && key.algorithms.has(name),
  );
  return found.length <= LIMITS.candidates ? found : [];
}

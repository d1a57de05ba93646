/**
 * Facts that a provider is asked for (introspection, TokenReview), and how long its word counts.
 *
 * - Many requests with one new credential ask once.
 * - What it vouches for counts for `maxMs`, then it is asked again; the credential's own `exp` is
 *   another thing, and the gate looks at it on every request.
 * - What it calls inactive is remembered for a moment. What went wrong is never remembered.
 * - While it cannot be asked, nothing counts, or what it vouched for last does, for `serveForMs` after
 *   that. Only what it said itself ends that early.
 *
 * Refuses to have more than a number of questions under way: the rest waits, and then fails.
 */
import { type CredentialFacts, isFailure, type Verified } from "../../model/facts.ts";
import type { Clock, Counter, Histogram, Log, Metrics, Timers } from "../../model/ports.ts";
import { Slots } from "./slots.ts";
import type { TokenFault } from "../token-precheck.ts";

/** What a provider said of a credential. */
export type Told = Vouched | TokenFault;

export interface Vouched {
  readonly facts: Omit<CredentialFacts, "valid">;
  /** What else has to hold while they count: the key that has signed the token is its issuer's. */
  readonly holds?: () => boolean;
}

export interface AskedOptions {
  /** For logs and metrics. */
  readonly authenticator: string;
  /** How long its word counts. 0: for the requests that waited for it. */
  readonly maxMs: number;
  /** How long `inactive-token` is remembered. */
  readonly inactiveMs: number;
  /** While it cannot be asked: how long its last word counts; undefined: nothing counts. */
  readonly serveForMs: number | undefined;
  /** How long a question may wait for its turn. */
  readonly waitMs: number;
}

export interface AskedDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface AskedFacts {
  /** What is known about a credential, or what `ask` finds out. Never rejects. */
  about(credentialHash: string, ask: () => Promise<Told>): Verified | Promise<Verified>;
  /** Nothing that was told counts any more. */
  close(): void;
}

const LIMITS = {
  /** Credentials whose facts are held, as many as the cache of facts holds. */
  entries: 10_000,
  /** Inactive ones that are remembered, some 100 bytes each. */
  inactive: 10_000,
  /** Questions to one provider at once; each holds a connection. At 20 ms each: 6 400 in a second. */
  atOnce: 128,
  /** Questions that wait for that. */
  waiting: 1024,
  /** A provider that could not be asked is asked again after this long, while its last word serves. */
  retryMs: 1000,
  /** Between log lines about one provider that cannot be asked. */
  saidMs: 10_000,
  /** How late a timer may be on a busy machine; later, its entry does not count any more. */
  lateMs: 1000,
} as const;

/** Seconds: a neighbour answers in milliseconds, its timeout is some seconds. */
const BUCKETS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createAskedFacts(options: AskedOptions, deps: AskedDeps): AskedFacts {
  return new Asked(options, deps);
}

/** A provider's word about one credential. */
interface Entry {
  readonly told: Vouched;
  readonly facts: CredentialFacts;
  /** Monotonic milliseconds until which it counts while the provider cannot be asked. */
  readonly servesUntil: number;
  live: boolean;
  readonly callOff: () => void;
}

class Asked implements AskedFacts {
  readonly #options: AskedOptions;
  readonly #deps: AskedDeps;
  readonly #slots: Slots;
  readonly #questions: { readonly ok: Counter; readonly failed: Counter };
  readonly #servedStale: Counter;
  readonly #seconds: Histogram;
  readonly #entries = new Map<string, Entry>();
  /** Credential → monotonic milliseconds until which it is known to be inactive. */
  readonly #inactive = new Map<string, number>();
  readonly #asking = new Map<string, Promise<Verified>>();
  /** Since the last answer, it could not be asked. */
  #failing = false;
  #saidAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: AskedOptions, deps: AskedDeps) {
    this.#options = options;
    this.#deps = deps;
    const { atOnce, waiting } = LIMITS;
    this.#slots = new Slots({ atOnce, waiting, waitMs: options.waitMs }, deps.timers);
    const questions = deps.metrics.counter(
      "sallyport_provider_questions",
      "Times that a provider was asked about a credential, by whether it answered.",
      ["authenticator", "outcome"],
    );
    const name = options.authenticator;
    this.#questions = { ok: questions.with(name, "ok"), failed: questions.with(name, "failed") };
    this.#seconds = deps.metrics
      .histogram(
        "sallyport_provider_seconds",
        "How long a provider took to say something about a credential, or to fail.",
        { buckets: BUCKETS, labels: ["authenticator"] },
      )
      .with(name);
    this.#servedStale = deps.metrics
      .counter(
        "sallyport_provider_stale_facts",
        "Times that a provider's earlier word was used because it could not be asked.",
        ["authenticator"],
      )
      .with(name);
  }

  about(credentialHash: string, ask: () => Promise<Told>): Verified | Promise<Verified> {
    if (this.#closed) return this.#refuse(credentialHash, CLOSED, false);
    if (this.#knownInactive(credentialHash)) {
      return this.#refuse(credentialHash, SAID_LATELY, false);
    }
    const entry = this.#entries.get(credentialHash);
    if (entry?.facts.valid() === true) return entry.facts;
    const asking = this.#asking.get(credentialHash);
    if (this.#failing) {
      // Its callers do not wait for a provider that is known to be down; the question goes out beside.
      const stale = this.#stale(credentialHash, entry);
      if (stale !== undefined) {
        if (asking === undefined) void this.#ask(credentialHash, ask);
        return stale;
      }
    }
    // One question was asked, and one caller pays for it.
    return asking?.then(withoutCost) ?? this.#ask(credentialHash, ask);
  }

  close(): void {
    this.#closed = true;
    for (const hash of this.#entries.keys()) this.#drop(hash);
    this.#inactive.clear();
  }

  #ask(credentialHash: string, ask: () => Promise<Told>): Promise<Verified> {
    const answer = this.#settle(credentialHash, ask).finally(() => {
      this.#asking.delete(credentialHash);
    });
    this.#asking.set(credentialHash, answer);
    return answer;
  }

  async #settle(credentialHash: string, ask: () => Promise<Told>): Promise<Verified> {
    let told: Told;
    try {
      told = await this.#slots.run(() => this.#timed(ask));
    } catch (error) {
      if (this.#closed) return this.#refuse(credentialHash, CLOSED, false);
      this.#failed(error);
      const stale = this.#stale(credentialHash, this.#entries.get(credentialHash));
      return stale ?? this.#refuse(credentialHash, NOT_ASKED, false);
    }
    if (this.#closed) return this.#refuse(credentialHash, CLOSED, false);
    this.#answered();
    if (!("fault" in told)) return this.#keep(told);
    this.#drop(credentialHash);
    if (told.fault === "inactive-token") this.#rememberInactive(credentialHash);
    return this.#refuse(credentialHash, told, true);
  }

  async #timed(ask: () => Promise<Told>): Promise<Told> {
    const startedAt = this.#deps.clock.monotonic();
    try {
      return await ask();
    } finally {
      this.#seconds.observe((this.#deps.clock.monotonic() - startedAt) / 1000);
    }
  }

  #keep(told: Vouched): CredentialFacts {
    const { maxMs, serveForMs = 0 } = this.#options;
    const servesUntil = this.#deps.clock.monotonic() + Math.max(maxMs, serveForMs);
    return this.#enter(told, { forMs: maxMs, servesUntil });
  }

  /** What it said last, for the time until it is asked again; undefined where that does not count. */
  #stale(credentialHash: string, entry: Entry | undefined): CredentialFacts | undefined {
    if (entry === undefined || this.#options.serveForMs === undefined) return undefined;
    const { told, servesUntil } = entry;
    const leftMs = servesUntil - this.#deps.clock.monotonic();
    if (leftMs <= 0) {
      this.#drop(credentialHash);
      return undefined;
    }
    this.#servedStale.inc();
    return this.#enter(told, { forMs: Math.min(LIMITS.retryMs, leftMs), servesUntil });
  }

  /**
   * A timer ends it, not the clock: so it does not end between two steps of one decision, of which the
   * first would take it and the second refuse it.
   */
  #enter(
    told: Vouched,
    { forMs, servesUntil }: { readonly forMs: number; readonly servesUntil: number },
  ): CredentialFacts {
    const { clock, timers } = this.#deps;
    const { facts, holds = always } = told;
    const { credentialHash } = facts;
    const latest = clock.monotonic() + forMs + LIMITS.lateMs;
    const entry: Entry = {
      told,
      facts: Object.freeze({
        ...facts,
        valid: () => entry.live && clock.monotonic() <= latest && holds(),
      }),
      servesUntil,
      live: true,
      callOff: timers.after(forMs, () => {
        entry.live = false;
        if (this.#options.serveForMs === undefined) this.#entries.delete(credentialHash);
      }),
    };
    this.#drop(credentialHash);
    if (this.#entries.size >= LIMITS.entries) this.#drop(first(this.#entries));
    this.#entries.set(credentialHash, entry);
    return entry.facts;
  }

  #drop(credentialHash: string): void {
    const entry = this.#entries.get(credentialHash);
    if (entry === undefined) return;
    entry.live = false;
    entry.callOff();
    this.#entries.delete(credentialHash);
  }

  #knownInactive(credentialHash: string): boolean {
    const until = this.#inactive.get(credentialHash) ?? Number.NEGATIVE_INFINITY;
    if (this.#deps.clock.monotonic() < until) return true;
    this.#inactive.delete(credentialHash);
    return false;
  }

  #rememberInactive(credentialHash: string): void {
    const { inactiveMs } = this.#options;
    if (this.#inactive.size >= LIMITS.inactive) this.#inactive.delete(first(this.#inactive));
    this.#inactive.set(credentialHash, this.#deps.clock.monotonic() + inactiveMs);
  }

  #answered(): void {
    this.#questions.ok.inc();
    if (!this.#failing) return;
    this.#failing = false;
    this.#saidAt = Number.NEGATIVE_INFINITY;
    this.#deps.log.info("a provider can be asked again", {
      authenticator: this.#options.authenticator,
    });
  }

  #failed(error: unknown): void {
    this.#questions.failed.inc();
    this.#failing = true;
    const now = this.#deps.clock.monotonic();
    if (now - this.#saidAt < LIMITS.saidMs) return;
    this.#saidAt = now;
    this.#deps.log.warn("a provider cannot be asked about credentials", {
      authenticator: this.#options.authenticator,
      error: error instanceof Error ? error : new Error("not an error"),
    });
  }

  #refuse(credentialHash: string, { fault, detail }: TokenFault, costly: boolean) {
    const { authenticator } = this.#options;
    return { failure: fault, detail, authenticator, credentialHash, costly };
  }
}

const CLOSED: TokenFault = Object.freeze({
  fault: "identity-unavailable",
  detail: "the authenticator is closed",
});

const NOT_ASKED: TokenFault = Object.freeze({
  fault: "identity-unavailable",
  detail: "the provider could not be asked; the log says why",
});

const SAID_LATELY: TokenFault = Object.freeze({
  fault: "inactive-token",
  detail: "the provider said so a moment ago",
});

function withoutCost(result: Verified): Verified {
  return isFailure(result) ? { ...result, costly: false } : result;
}

function always(): boolean {
  return true;
}

/** Of a map that is not empty: what has been in it longest. */
function first(map: ReadonlyMap<string, unknown>): string {
  const [key = ""] = map.keys();
  return key;
}

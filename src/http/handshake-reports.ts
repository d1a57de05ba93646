/**
 * How TLS handshakes went: each is counted, and those that failed are logged up to a rate, since
 * anybody can make as many fail as they like.
 */
import type { Clock, Counter, Log, LogFields, Metrics } from "../model/ports.ts";

const LIMITS = {
  /** Failures that are logged in a window; the others are counted, and the next window says how many. */
  logged: 10,
  windowMs: 10_000,
} as const;

export type HandshakeOutcome = "complete" | "resumed" | "failed" | "timeout";

const OUTCOMES: readonly HandshakeOutcome[] = ["complete", "resumed", "failed", "timeout"];

export class HandshakeReports {
  readonly #listener: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counters: ReadonlyMap<HandshakeOutcome, Counter>;
  #windowEnds = 0;
  #logged = 0;
  #unlogged = 0;

  constructor(
    listener: string,
    {
      clock,
      log,
      metrics,
    }: { readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
  ) {
    this.#listener = listener;
    this.#clock = clock;
    this.#log = log;
    const family = metrics.counter(
      "sallyport_tls_handshakes_total",
      "TLS handshakes of callers, by listener and outcome: complete, resumed, failed, timeout.",
      ["listener", "outcome"],
    );
    this.#counters = new Map(OUTCOMES.map((outcome) => [outcome, family.with(listener, outcome)]));
  }

  done(outcome: "complete" | "resumed"): void {
    this.#counters.get(outcome)?.inc();
  }

  failed(outcome: "failed" | "timeout", fields: LogFields): void {
    this.#counters.get(outcome)?.inc();
    const now = this.#clock.monotonic();
    if (now >= this.#windowEnds) {
      this.#windowEnds = now + LIMITS.windowMs;
      this.#logged = 0;
    }
    if (this.#logged >= LIMITS.logged) {
      this.#unlogged += 1;
      return;
    }
    this.#logged += 1;
    const before = this.#unlogged === 0 ? {} : { notLogged: this.#unlogged };
    this.#unlogged = 0;
    this.#log.warn("a TLS handshake failed", {
      listener: this.#listener,
      outcome,
      ...fields,
      ...before,
    });
  }
}

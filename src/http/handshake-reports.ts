/**
 * How TLS handshakes went: each is counted, and those that failed are logged up to a rate, since
 * anybody can make as many fail as they like.
 */
import type { Clock, Counter, Log, LogFields, Metrics } from "../model/ports.ts";
import { LimitedLog } from "./limited-log.ts";

export type HandshakeOutcome = "complete" | "resumed" | "failed" | "timeout";

const OUTCOMES: readonly HandshakeOutcome[] = ["complete", "resumed", "failed", "timeout"];

export class HandshakeReports {
  readonly #listener: string;
  readonly #log: LimitedLog;
  readonly #counters: ReadonlyMap<HandshakeOutcome, Counter>;

  constructor(
    listener: string,
    {
      clock,
      log,
      metrics,
    }: { readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
  ) {
    this.#listener = listener;
    this.#log = new LimitedLog({ clock, log });
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
    this.#log.warn("a TLS handshake failed", { listener: this.#listener, outcome, ...fields });
  }
}

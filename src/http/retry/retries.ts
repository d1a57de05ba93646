/**
 * When a service's requests may be sent again, and how many of them at once.
 *
 * The budget is a share of what is in flight (as Envoy and linkerd have it), with a floor for quiet
 * services: when everything fails, everything would be sent again, and a service that is down for
 * one second under load would be kept down by three times the load.
 */
import type { RetryCause } from "../attempt-failure.ts";
import type { RetryOptions } from "./retry-options.ts";

const LIMITS = {
  /** The longest that is waited before a retry, whatever the back-off has grown to. */
  maxDelayMs: 10_000,
} as const;

export interface RetryDeps {
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Requests of the service in flight now. */
  readonly inFlight: () => number;
  /** A request was sent again, or why not. */
  readonly noted: (outcome: RetryOutcome) => void;
}

export type RetryOutcome = "sent-again" | "attempts-spent" | "budget-spent";

export class Retries {
  readonly #options: RetryOptions;
  readonly #deps: RetryDeps;
  readonly #causes: ReadonlySet<RetryCause>;
  /** Exchanges that are being retried. */
  #active = 0;

  constructor(options: RetryOptions, deps: RetryDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#causes = new Set(options.on);
  }

  /** Largest request body that is kept to be sent again. */
  get bodyBytes(): number {
    return this.#options.bodyBytes;
  }

  covers(cause: RetryCause): boolean {
    return this.#causes.has(cause);
  }

  /** Whether an exchange that was sent again `count` times may be once more. `ended` follows the first. */
  begin(count: number): boolean {
    const allowed = this.#outcome(count);
    this.#deps.noted(allowed);
    if (allowed !== "sent-again") return false;
    if (count === 0) this.#active += 1;
    return true;
  }

  /** An exchange that was sent again has ended. */
  ended(): void {
    this.#active -= 1;
  }

  /** Milliseconds before retry number `count`, from 1: anything up to the back-off, so that those who failed together do not come back together. */
  delay(count: number): number {
    const longest = Math.min(this.#options.backoff * 2 ** (count - 1), LIMITS.maxDelayMs);
    return longest * this.#deps.random();
  }

  #outcome(count: number): RetryOutcome {
    const { attempts, budget } = this.#options;
    if (count >= attempts) return "attempts-spent";
    // Whoever is in the budget stays in it until its exchange ends.
    if (count > 0) return "sent-again";
    const allowed = Math.max(budget.floor, (this.#deps.inFlight() * budget.share) / 100);
    return this.#active + 1 <= allowed ? "sent-again" : "budget-spent";
  }
}

/**
 * What was tried for one exchange, and what may be tried next. Made when an attempt has failed: most
 * exchanges never need one.
 */
import type { RetryCause } from "./attempt-failure.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { Retries } from "./retry/retries.ts";

const LIMITS = {
  /**
   * Endpoints that are tried one after the other because a connection could not be opened. What
   * refuses rests, so others do not go the same way; more would let one caller wait for ever.
   */
  moves: 8,
} as const;

/** Methods that may be sent again although they may have arrived (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

export class Attempts {
  readonly #retries: Retries | undefined;
  #tried: EndpointState[] = [];
  #retried = 0;

  /** `retries`: the service's, where it has any. */
  constructor(retries: Retries | undefined) {
    this.#retries = retries;
  }

  /** Endpoints that failed this exchange. */
  get tried(): readonly EndpointState[] {
    return this.#tried;
  }

  /** Whether another endpoint may be tried at once: for what could not be sent at all. */
  get mayMove(): boolean {
    return this.#tried.length <= LIMITS.moves;
  }

  failed(endpoint: EndpointState): void {
    this.#tried.push(endpoint);
  }

  /** Milliseconds to wait before it is sent again after `cause`; undefined: it is not. */
  retry(cause: RetryCause): number | undefined {
    const retries = this.#retries;
    if (retries?.covers(cause) !== true || !retries.begin(this.#retried)) return undefined;
    this.#retried += 1;
    return retries.delay(this.#retried);
  }

  /** The exchange has ended. */
  ended(): void {
    if (this.#retried > 0) this.#retries?.ended();
  }
}

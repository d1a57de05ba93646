/**
 * Requests that wait because every endpoint of their service has as many as it may have. First come,
 * first served; how long each waits is its own affair.
 */
import { setImmediate } from "node:timers";

export interface Waiter {
  /** There is room: the request can be sent. It is not in the line any more. */
  roomMade(): void;
}

export interface WaitingLineDeps {
  readonly hasRoom: () => boolean;
  readonly noted: (outcome: "waits" | "line-full" | "timeout") => void;
}

export class WaitingLine {
  readonly timeoutMs: number;
  readonly #max: number;
  readonly #deps: WaitingLineDeps;
  readonly #waiters = new Set<Waiter>();
  #waking = false;

  constructor(
    options: { readonly max: number; readonly timeoutMs: number },
    deps: WaitingLineDeps,
  ) {
    this.#max = options.max;
    this.timeoutMs = options.timeoutMs;
    this.#deps = deps;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** False where it is full. */
  enter(waiter: Waiter): boolean {
    const full = this.#waiters.size >= this.#max;
    this.#deps.noted(full ? "line-full" : "waits");
    if (!full) this.#waiters.add(waiter);
    return !full;
  }

  /** One has waited as long as it may, and leaves. */
  gaveUp(): void {
    this.#deps.noted("timeout");
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /**
   * A request has ended, or an endpoint has come. In a turn of its own: a waiter whose request fails
   * at once would call this again from within, as deep as the line is long.
   */
  wake(): void {
    if (this.#waking || this.#waiters.size === 0) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      for (const waiter of this.#waiters) {
        if (!this.#deps.hasRoom()) return;
        this.#waiters.delete(waiter);
        waiter.roomMade();
      }
    });
  }
}

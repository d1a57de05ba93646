/** How long a sink waits before it tries again, and waits that can be cut short. */
import type { Timers } from "../../model/ports.ts";

const LIMITS = {
  /** Milliseconds after the first failure; each further one doubles it, … */
  first: 500,
  /** … up to this. A receiver that is back is found again within a minute. */
  longest: 60_000,
  /** Milliseconds that a receiver can ask for (`Retry-After`): beyond, its word is not taken. */
  asked: 15 * 60_000,
} as const;

export interface BackOff {
  /** In a row, before this one. */
  readonly failures: number;
  /** What the receiver asked for. */
  readonly afterMs: number | undefined;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Spread over its upper half, so that many proxies do not come back to a receiver at once. */
export function backOffMs({ failures, afterMs = 0, random }: BackOff): number {
  const doubled = Math.min(LIMITS.longest, LIMITS.first * 2 ** Math.min(failures, 16));
  const spread = Math.round(doubled * (0.5 + random() / 2));
  return Math.max(spread, Math.min(afterMs, LIMITS.asked));
}

/** Waits that one call ends, for good. */
export class Pauses {
  readonly #timers: Timers;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  async wait(ms: number): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#timers.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** What `work` comes to; undefined where the signal came before. */
  async until<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (signal.aborted) return undefined;
    let stop: (() => void) | undefined;
    const aborted = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      if (stop !== undefined) signal.removeEventListener("abort", stop);
    }
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}

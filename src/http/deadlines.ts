/**
 * Deadlines of connections, all on one timer.
 *
 * A timer for each request would cost more than the rest of its bookkeeping, so a connection is
 * registered once, for its life, and moves its `expiresAt` as its state changes; one coarse tick
 * looks at all of them. A deadline is therefore kept to within a tick, not to the millisecond.
 */
import { clearInterval, setInterval } from "node:timers";
import type { Clock } from "../model/ports.ts";

const LIMITS = {
  /** Coarse enough that 50 000 connections cost under 1 % of a core, fine enough for timeouts of a second. */
  tickMs: 100,
} as const;

/** Never. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Something that ends when it takes too long. */
export interface Expirable {
  /** Monotonic milliseconds, or `NEVER`. */
  readonly expiresAt: number;
  /** Called in the tick after `expiresAt`, and in each later one until it moves or is removed. */
  expired(): void;
  /** Who answers what is in flight here (`Exchange.owner`); for those who go through all of them. */
  readonly owner?: unknown;
}

export class Deadlines {
  /** Monotonic milliseconds as of the last tick: for deadlines that move with every chunk. */
  coarseNow: number;
  readonly #clock: Clock;
  readonly #items = new Set<Expirable>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.coarseNow = clock.monotonic();
  }

  /** Registers; the timer runs, and keeps the process alive, while anything is registered. */
  add(item: Expirable): void {
    this.#items.add(item);
    if (this.#timer !== undefined) return;
    this.coarseNow = this.#clock.monotonic();
    this.#timer = setInterval(() => this.tick(), LIMITS.tickMs);
  }

  delete(item: Expirable): void {
    this.#items.delete(item);
    if (this.#items.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** All that are registered. Others may come and go meanwhile. */
  registered(): IterableIterator<Expirable> {
    return this.#items.values();
  }

  /** How many are registered. */
  get size(): number {
    return this.#items.size;
  }

  /** What the timer does; tests that turn the clock by hand call it themselves. */
  tick(): void {
    const now = this.#clock.monotonic();
    this.coarseNow = now;
    for (const item of this.#items) {
      if (item.expiresAt <= now) item.expired();
    }
  }
}

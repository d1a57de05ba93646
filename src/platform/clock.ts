import type { Clock } from "../model/ports.ts";

/** The machine's clocks. Everything else takes a `Clock` as an argument. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
});

/** A clock that stands still until a test turns it. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;

  constructor(nowMs: number) {
    this.#now = nowMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  advance(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }
}

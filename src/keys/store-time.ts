/**
 * What time it is for keys: the store's clock, carried on between two readings by a clock that never
 * goes back. All replicas go by the same clock then, and this machine's wall clock may be wrong
 * without a key being used too early, retired too soon or removed.
 *
 * A reading that is far from what was expected is not believed before it has held for a while: a
 * jump that is taken back would otherwise have retired every key in between. Until then time goes on
 * as it was, and `steady` is false: nothing that cannot be undone is done.
 */
import type { Clock } from "../model/ports.ts";

const LIMITS = {
  /** Clocks that are kept by NTP agree far better; a reading within it is taken as it is. */
  jumpMs: 60_000,
  /** So long a jump must have held: longer than NTP takes to put a wrong step right. */
  settleMs: 300_000,
  /** The store's clock and this machine's may differ by so much; beyond it one of them is wrong, and nobody knows which. */
  apartMs: 300_000,
} as const;

export class StoreTime {
  readonly #clock: Clock;
  #anchor: { readonly storeMs: number; readonly monotonicMs: number } | undefined;
  #jump: { readonly offsetMs: number; readonly sinceMs: number } | undefined;
  #apart = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whole milliseconds since the epoch. Before anything was heard it is this machine's clock. */
  now(): number {
    const anchor = this.#anchor;
    if (anchor === undefined) return this.#clock.now();
    return Math.floor(anchor.storeMs + (this.#clock.monotonic() - anchor.monotonicMs));
  }

  /** False while it is in doubt what time it is. */
  get steady(): boolean {
    return this.#anchor !== undefined && this.#jump === undefined && !this.#apart;
  }

  /** Asks the store for its time; what it says holds for the middle of the asking. */
  async ask<T extends { readonly timeMs: number }>(read: () => Promise<T>): Promise<T> {
    const before = this.#clock.monotonic();
    const answer = await read();
    this.#heard(answer.timeMs, (before + this.#clock.monotonic()) / 2);
    return answer;
  }

  #heard(storeMs: number, monotonicMs: number): void {
    const elapsed = this.#clock.monotonic() - monotonicMs;
    this.#apart = Math.abs(storeMs + elapsed - this.#clock.now()) > LIMITS.apartMs;
    const anchor = this.#anchor;
    const offsetMs =
      anchor === undefined ? 0 : storeMs - (anchor.storeMs + (monotonicMs - anchor.monotonicMs));
    if (Math.abs(offsetMs) <= LIMITS.jumpMs || this.#held(offsetMs, monotonicMs)) {
      this.#anchor = { storeMs, monotonicMs };
      this.#jump = undefined;
    }
  }

  /** Whether this jump has held for long enough; a first one, or another one, begins to count. */
  #held(offsetMs: number, monotonicMs: number): boolean {
    const jump = this.#jump;
    if (jump === undefined || Math.abs(jump.offsetMs - offsetMs) > LIMITS.jumpMs) {
      this.#jump = { offsetMs, sinceMs: monotonicMs };
      return false;
    }
    return monotonicMs - jump.sinceMs >= LIMITS.settleMs;
  }
}

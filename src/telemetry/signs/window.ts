/**
 * How often something happened within the last so many milliseconds: counted in windows side by side, of
 * which the one before counts by the share that still lies in the last such time. Two numbers in place of
 * a list of times. Times may be a little out of order: records come from several processes.
 */
export class WindowCount {
  #startMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #before = 0;

  /** Counts one at `timeMs`; how many there were within `windowMs` until then. */
  add(timeMs: number, windowMs: number): number {
    const passed = timeMs - this.#startMs;
    // Read late, as after a start: it is counted where it belongs to, or not at all.
    if (passed < -windowMs) return 0;
    if (passed >= windowMs) {
      const next = passed < 2 * windowMs;
      this.#before = next ? this.#count : 0;
      this.#startMs = next ? this.#startMs + windowMs : timeMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#before === 0) return this.#count;
    const left = 1 - Math.max(0, timeMs - this.#startMs) / windowMs;
    return this.#count + this.#before * left;
  }

  /** From nothing again. */
  clear(): void {
    this.#count = 0;
    this.#before = 0;
  }
}

/**
 * A body that is gathered up to a bound. The bytes are copied together as they come: who sends them one
 * by one, in chunks of one byte, would have an object and a piece of input kept for each of them, a
 * hundred times the body.
 */

const LIMITS = {
  /** First size of the memory: most bodies that are gathered fit. */
  first: 4096,
} as const;

const EMPTY = Buffer.alloc(0);

export class Gathered {
  readonly #limit: number;
  #memory = EMPTY;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of memory that it takes up. */
  get capacity(): number {
    return this.#memory.length;
  }

  /** False beyond the bound; then nothing is kept any more. */
  add(bytes: Buffer): boolean {
    const start = this.#length;
    this.#length += bytes.length;
    if (this.#length > this.#limit) {
      this.#memory = EMPTY;
      return false;
    }
    if (this.#length > this.#memory.length) this.#grow(start);
    bytes.copy(this.#memory, start);
    return true;
  }

  /** All of it, in memory of its own; nothing where it went beyond the bound. */
  take(): Buffer {
    const whole = this.#memory.subarray(0, this.#length);
    this.#memory = EMPTY;
    this.#length = 0;
    return whole;
  }

  #grow(used: number): void {
    const size = Math.max(LIMITS.first, this.#length * 2);
    const memory = Buffer.allocUnsafeSlow(Math.min(this.#limit, size));
    this.#memory.copy(memory, 0, 0, used);
    this.#memory = memory;
  }
}

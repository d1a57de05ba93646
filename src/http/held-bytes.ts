/**
 * How many bytes of bodies this process holds before it has decided about them: callers with an identity
 * can ask for much of it at once, and slowly, so there is a bound on all of them together.
 */

export const HELD_BYTES_LIMITS = {
  /** Bytes of the process: a thousand bodies of the default limit at once, in memory that it can spare. */
  total: 64 * 1024 * 1024,
} as const;

export class HeldBytes {
  readonly #total: number;
  #held = 0;

  constructor(total: number = HELD_BYTES_LIMITS.total) {
    this.#total = total;
  }

  get held(): number {
    return this.#held;
  }

  /** False where they would be too many; then none is taken. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#total) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

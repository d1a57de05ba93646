/** A body that is gathered up to a bound. */
export class Gathered {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False beyond the bound; then nothing is kept any more. */
  add(bytes: Buffer): boolean {
    this.#length += bytes.length;
    if (this.#length > this.#limit) {
      this.#chunks = [];
      return false;
    }
    this.#chunks.push(bytes);
    return true;
  }

  /** All of it, in memory of its own. */
  take(): Buffer {
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return whole;
  }
}

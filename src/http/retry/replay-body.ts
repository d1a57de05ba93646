/** A request body that is kept while it is sent, so that it can be sent again. Refuses large ones. */

const LIMITS = {
  /** A body in so many pieces costs more for the pieces than for its bytes. */
  pieces: 256,
} as const;

export class ReplayBody {
  readonly #maxBytes: number;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #whole = true;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether all that came until now is there. Once false it stays so. */
  get whole(): boolean {
    return this.#whole;
  }

  /** To be written: each in memory of its own, which the writer gives back. */
  get pieces(): readonly Buffer[] {
    return this.#pieces.map((piece) => Buffer.from(piece));
  }

  /** `sent`: it went out as well; what did not is kept whatever its size, and there is little of it. */
  add(bytes: Buffer, sent: boolean): void {
    if (!this.#whole) return;
    this.#pieces.push(sent ? Buffer.from(bytes) : bytes);
    this.#bytes += bytes.length;
    if (!sent || (this.#bytes <= this.#maxBytes && this.#pieces.length <= LIMITS.pieces)) return;
    this.#whole = false;
    this.#pieces.length = 0;
  }
}

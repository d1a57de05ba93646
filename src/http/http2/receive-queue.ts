/**
 * Received bytes of one stream that nobody wants yet. Copied side by side: a part of a read that is
 * kept would hold on to all of it, and frames of one byte to sixty-four times their size in objects.
 * How much may wait is bounded by the window of the stream.
 */
const LIMITS = {
  /** Bytes of one piece: as much as a frame. */
  piece: 16 * 1024,
} as const;

export class ReceiveQueue {
  #pieces: Buffer[] = [];
  /** Bytes used of the last piece. */
  #used = 0;

  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  add(bytes: Buffer): void {
    for (let taken = 0; taken < bytes.length;) {
      let last = this.#pieces.at(-1);
      if (last === undefined || this.#used === last.length) {
        last = Buffer.allocUnsafeSlow(this.#room(bytes.length - taken));
        this.#pieces.push(last);
        this.#used = 0;
      }
      const copied = bytes.copy(last, this.#used, taken);
      this.#used += copied;
      taken += copied;
    }
  }

  /** The first piece, or undefined. */
  take(): Buffer | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined || this.#pieces.length > 0) return piece;
    return this.#used === piece.length ? piece : piece.subarray(0, this.#used);
  }

  clear(): void {
    this.#pieces = [];
  }

  /** A short message gets what it needs; from the second piece on there is more to come. */
  #room(needed: number): number {
    return this.#pieces.length === 0
      ? Math.min(LIMITS.piece, Math.max(needed, 1024))
      : LIMITS.piece;
  }
}

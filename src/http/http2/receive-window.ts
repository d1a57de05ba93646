/**
 * How much DATA a peer may send (RFC 9113 section 6.9), seen from who receives it: what is received is
 * taken off, and what has been used is given back, half a window at a time. An update for each frame
 * would double the frames.
 *
 * It may begin small and grow once its reader has shown that it reads: until then a reader that takes
 * nothing would hold the larger one too, of each of its streams.
 */
import { SIZE } from "../../wire/http2/codes.ts";

const LIMITS = {
  /** Bytes that a reader takes until its window grows: more than what waits for a peer that reads nothing. */
  shown: 256 * 1024,
} as const;

export class ReceiveWindow {
  #size: number;
  readonly #grown: number;
  /** Bytes used until it grows. */
  #unshown: number = LIMITS.shown;
  /** Bytes that the peer may still send. */
  #left: number;
  /** Bytes used that the peer was not told of yet. */
  #used = 0;

  /** The peer is told of what `size` is more than the protocol's own before anything else. */
  constructor(size: number, grown = size) {
    this.#size = Math.max(size, SIZE.initialWindow);
    this.#grown = Math.max(grown, this.#size);
    this.#left = this.#size;
  }

  /** False: the peer has sent more than it may. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** Returns the increment that the peer is to be told of, or 0. */
  give(bytes: number): number {
    this.#used += bytes;
    if (this.#used * 2 < this.#size) return 0;
    this.#unshown -= this.#used;
    const given = this.#used + (this.#unshown <= 0 ? this.#growth() : 0);
    this.#left += given;
    this.#used = 0;
    return given;
  }

  #growth(): number {
    const growth = this.#grown - this.#size;
    this.#size = this.#grown;
    return growth;
  }
}

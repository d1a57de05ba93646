/**
 * How much DATA a peer may send (RFC 9113 section 6.9), seen from who receives it: what is received is
 * taken off, and what has been used is given back, half a window at a time. An update for each frame
 * would double the frames.
 */
import { SIZE } from "../../wire/http2/codes.ts";

export class ReceiveWindow {
  readonly #size: number;
  /** Bytes that the peer may still send. */
  #left: number;
  /** Bytes used that the peer was not told of yet. */
  #used = 0;

  /** The peer is told of what `size` is more than the protocol's own before anything else. */
  constructor(size: number) {
    this.#size = Math.max(size, SIZE.initialWindow);
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
    const given = this.#used;
    this.#left += given;
    this.#used = 0;
    return given;
  }
}

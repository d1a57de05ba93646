/**
 * Bytes that were received and not yet taken.
 *
 * In the usual case a read is taken whole before the next one comes: then it is used where it lies
 * and nothing is copied. What has to wait is gathered in a buffer that doubles, so that a head which
 * arrives byte by byte costs linear time. Bytes handed out as slices are never written over.
 */
const LIMITS = {
  /** First size of a gathering buffer: most heads that come in two parts fit. */
  gather: 4096,
} as const;

const EMPTY = Buffer.alloc(0);

export class InputBuffer {
  /** What was received; the bytes before `start` are taken. */
  bytes: Buffer = EMPTY;
  start = 0;
  /** Memory behind `bytes` when it is ours to append to. */
  #room: Buffer | undefined;

  get length(): number {
    return this.bytes.length - this.start;
  }

  append(chunk: Buffer): void {
    if (this.start === this.bytes.length) {
      this.bytes = chunk;
      this.start = 0;
      this.#room = undefined;
      return;
    }
    const used = this.bytes.length;
    if (this.#room === undefined || this.#room.length - used < chunk.length) this.#gather(chunk);
    else {
      chunk.copy(this.#room, used);
      this.bytes = this.#room.subarray(0, used + chunk.length);
    }
  }

  /** Everything before `position` is taken. */
  take(position: number): void {
    if (position >= this.bytes.length) this.clear();
    else this.start = position;
  }

  clear(): void {
    this.bytes = EMPTY;
    this.start = 0;
    this.#room = undefined;
  }

  #gather(chunk: Buffer): void {
    const length = this.length;
    const needed = length + chunk.length;
    const room = Buffer.allocUnsafeSlow(Math.max(LIMITS.gather, needed * 2));
    this.bytes.copy(room, 0, this.start);
    chunk.copy(room, length);
    this.#room = room;
    this.bytes = room.subarray(0, needed);
    this.start = 0;
  }
}

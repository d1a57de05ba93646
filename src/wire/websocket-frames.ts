/**
 * Frames of a WebSocket (RFC 6455 section 5) as far as a proxy needs them: where one ends, so that a
 * Close of ours can be put between two of another's, and the bytes of that Close.
 *
 * It reads two to fourteen bytes of each frame and skips the rest, so its cost does not grow with
 * the size of messages. It judges nothing: whoever does not speak WebSocket only loses the place
 * where a frame could be put in.
 */

/** Why a WebSocket is closed (RFC 6455 section 7.4.1). */
export const CLOSE = { goingAway: 1001, policy: 1008 } as const;

const OPCODE_CLOSE = 8;
const MASKED = 0x80;
const LIMITS = {
  /** Payload of a control frame (section 5.5). */
  control: 125,
} as const;

/** Follows the frames of one direction. */
export class FrameBoundaries {
  /** Bytes of the current frame that are still to come. */
  #left = 0;
  /** What has come of a header that is not whole. */
  readonly #head = new Uint8Array(14);
  #headLength = 0;
  #closing = false;

  /** Whether the next byte begins a frame, and a Close may still be sent. */
  get between(): boolean {
    return this.#left === 0 && this.#headLength === 0 && !this.#closing;
  }

  /** Whether a Close has passed: nothing of meaning follows. */
  get closed(): boolean {
    return this.#closing;
  }

  /** These bytes were passed on. */
  pass(bytes: Uint8Array): void {
    let position = 0;
    while (position < bytes.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - position);
        this.#left -= skipped;
        position += skipped;
        continue;
      }
      this.#head[this.#headLength] = bytes[position] ?? 0;
      this.#headLength += 1;
      position += 1;
      if (this.#headLength === headerLength(this.#head, this.#headLength)) this.#begin();
    }
  }

  #begin(): void {
    this.#left = payloadLength(this.#head);
    if (((this.#head[0] ?? 0) & 0x0f) === OPCODE_CLOSE) this.#closing = true;
    this.#headLength = 0;
  }
}

/** A Close frame. `mask`: what a client sends is masked (section 5.1), what a server sends is not. */
export function closeFrame(code: number, reason: string, mask?: Uint8Array): Buffer {
  const payload = Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]);
  if (payload.length > LIMITS.control) throw new TypeError("a reason longer than a control frame");
  const first = 0x80 | OPCODE_CLOSE;
  if (mask === undefined) return Buffer.concat([Buffer.of(first, payload.length), payload]);
  for (let index = 0; index < payload.length; index++) {
    payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
  }
  return Buffer.concat([Buffer.of(first, MASKED | payload.length), mask, payload]);
}

/** Length of the header that begins so; -1 while it cannot be told. */
function headerLength(head: Uint8Array, known: number): number {
  if (known < 2) return -1;
  const second = head[1] ?? 0;
  const length = second & 0x7f;
  const extended = length === 126 ? 2 : length === 127 ? 8 : 0;
  return 2 + extended + ((second & MASKED) === 0 ? 0 : 4);
}

function payloadLength(head: Uint8Array): number {
  const view = new DataView(head.buffer);
  const length = (head[1] ?? 0) & 0x7f;
  if (length === 126) return view.getUint16(2);
  // Beyond 2^53 it is off by a little, and no connection lives to see it.
  return length === 127 ? Number(view.getBigUint64(2)) : length;
}

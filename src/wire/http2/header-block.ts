/**
 * A header block that comes in several frames (RFC 9113 section 4.3), put together.
 *
 * Bounded in bytes and in frames: a peer that never sets END_HEADERS would otherwise have a server
 * hold, or count, without end (the CONTINUATION flood of 2024). A block must be decoded whole or the
 * connection given up (section 4.3), so each bound ends the connection.
 */
import { floodFault, type FrameFault } from "./frame-fault.ts";

export interface BlockLimits {
  /** Bytes of one header block, compressed, over all its frames. */
  readonly maxBlockBytes: number;
  /** CONTINUATION frames of one header block, empty ones included. */
  readonly maxContinuations: number;
}

const FAULTS = {
  tooLarge: floodFault("a header block of more bytes than the limit", "headerBlockBytes"),
  tooMany: floodFault("a header block in more frames than the limit", "continuations"),
} as const;

/** Whether the first fragment of a block is too large already. */
export function blockFault(bytes: number, limits: BlockLimits): FrameFault | undefined {
  return bytes > limits.maxBlockBytes ? FAULTS.tooLarge : undefined;
}

export class HeaderBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #continuations = 0;

  constructor(streamId: number, endStream: boolean) {
    this.streamId = streamId;
    this.endStream = endStream;
  }

  /** The whole block. */
  get bytes(): Buffer {
    return Buffer.concat(this.#parts, this.#bytes);
  }

  /** Why a CONTINUATION of `length` bytes is one too many, or undefined: it counts from now on. */
  announce(length: number, limits: BlockLimits): FrameFault | undefined {
    this.#continuations += 1;
    if (this.#continuations > limits.maxContinuations) return FAULTS.tooMany;
    return blockFault(this.#bytes + length, limits);
  }

  /** Takes a fragment. It is copied: a few bytes must not keep the whole read that they came in. */
  add(fragment: Buffer): void {
    if (fragment.length === 0) return;
    this.#parts.push(Buffer.from(fragment));
    this.#bytes += fragment.length;
  }
}

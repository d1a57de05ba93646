/**
 * Takes the framing off a body, whichever it has (RFC 9112 section 6). One per connection, started
 * anew for each message. Hands out slices, and copies only what is small.
 */
import type { BodyKind, Fields } from "../model/http.ts";
import { ChunkedDecoder } from "../wire/http1/chunked.ts";
import type { HeadFault } from "../wire/head-fault.ts";
import { invariant } from "./invariant.ts";

const LIMITS = {
  /**
   * Bytes of a body that are copied out of what was read with its head. To make a part of a fresh read
   * takes Bun 350 ns, to copy 130 bytes 50; on Node 65 and 140. Nor does the part keep all of the read.
   */
  copied: 1024,
} as const;

const NO_TRAILERS: Fields = [];

export class BodyDecoder {
  #kind: BodyKind = "none";
  /** Bytes still to come of a body with a length. */
  #left = 0;
  #chunked: ChunkedDecoder | undefined;
  #done = true;

  start(kind: BodyKind, contentLength: number): void {
    invariant(this.#done, "the body before was not read to its end");
    this.#kind = kind;
    this.#left = kind === "length" ? contentLength : 0;
    this.#chunked = kind === "chunked" ? new ChunkedDecoder() : undefined;
    this.#done = kind === "none" || (kind === "length" && contentLength === 0);
  }

  get done(): boolean {
    return this.#done;
  }

  get trailers(): Fields {
    return this.#chunked?.trailers ?? NO_TRAILERS;
  }

  /** Bytes still to come; -1 when the framing does not tell. */
  get left(): number {
    if (this.#done) return 0;
    return this.#kind === "length" ? this.#left : -1;
  }

  /** Takes bytes from `start` on. Returns the index after the last one taken. */
  write(buffer: Buffer, start: number, onData: (data: Buffer) => void): number | HeadFault {
    if (this.#done || start === buffer.length) return start;
    if (this.#chunked !== undefined) return this.#writeChunked(buffer, start, onData);
    const available = buffer.length - start;
    const length = this.#kind === "until-close" ? available : Math.min(available, this.#left);
    if (this.#kind === "length") {
      this.#left -= length;
      this.#done = this.#left === 0;
    }
    const end = start + length;
    onData(partOf(buffer, start, end));
    return end;
  }

  /** The sender closed its side. True if that ends the body well, false if it cuts it short. */
  close(): boolean {
    if (this.#kind === "until-close") this.#done = true;
    return this.#done;
  }

  #writeChunked(buffer: Buffer, start: number, onData: (data: Buffer) => void): number | HeadFault {
    const decoder = this.#chunked;
    invariant(decoder !== undefined, "the body is not chunked");
    const taken = decoder.write(buffer, start, onData);
    this.#done = decoder.done;
    return taken;
  }
}

function partOf(buffer: Buffer, start: number, end: number): Buffer {
  if (start === 0 && end === buffer.length) return buffer;
  const length = end - start;
  if (length > LIMITS.copied) return buffer.subarray(start, end);
  const copy = Buffer.allocUnsafe(length);
  buffer.copy(copy, 0, start, end);
  return copy;
}

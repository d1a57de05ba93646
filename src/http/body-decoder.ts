/**
 * Takes the framing off a body, whichever it has (RFC 9112 section 6). One per connection, started
 * anew for each message. Hands out slices and copies nothing.
 */
import type { BodyKind, Fields } from "../model/http.ts";
import { ChunkedDecoder } from "../wire/http1/chunked.ts";
import type { HeadFault } from "../wire/head-fault.ts";
import { invariant } from "./invariant.ts";

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
    onData(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end));
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

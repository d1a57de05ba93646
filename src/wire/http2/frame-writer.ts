/**
 * Frames as we write them (RFC 9113 section 6), gathered so that many go out in one write.
 *
 * Small ones are copied side by side into one buffer (0.1 to 0.15 us each; bench/http2-cases.ts); large
 * DATA is kept by reference. It refuses, by assertion, what no peer may be sent: stream identifiers, increments and codes out of range.
 */
import { FLAG, FRAME, SIZE } from "./codes.ts";
import type { Setting } from "./settings.ts";

const LIMITS = {
  /** DATA up to this is copied: one more piece of a write costs about what copying 4 KiB does. */
  copied: 4096,
  /** Bytes of one page. */
  page: 16 * 1024,
  /** A rest of a page that is worth keeping. */
  rest: 1024,
} as const;

/**
 * The page that no writer is writing on. A connection has frames to write for some microseconds at a
 * time; were each to keep a page, ten thousand idle ones would hold 160 MB.
 */
let spare: Page | undefined;

interface Page {
  readonly bytes: Buffer;
  /** Where the next byte goes. */
  used: number;
}

export class FrameWriter {
  /** The peer's SETTINGS_MAX_FRAME_SIZE: no frame's payload is longer. */
  maxFrameBytes: number = SIZE.minMaxFrame;
  #parts: Buffer[] = [];
  #page: Page | undefined;
  /** Where in the page begins what is not among the parts yet. */
  #from = 0;
  #size = 0;

  /** Bytes that `take` would return. */
  get size(): number {
    return this.#size;
  }

  /** HEADERS, and CONTINUATION for what does not fit. The block is copied. */
  headers(streamId: number, block: Buffer, endStream: boolean): void {
    assertStream(streamId);
    const max = this.maxFrameBytes;
    const first = block.length > max ? block.subarray(0, max) : block;
    const whole = first === block ? FLAG.endHeaders : 0;
    this.#header(first.length, FRAME.headers, {
      flags: whole | (endStream ? FLAG.endStream : 0),
      streamId,
    });
    this.#copy(first);
    for (let at = max; at < block.length; at += max) {
      const part = block.subarray(at, at + max);
      const flags = at + max >= block.length ? FLAG.endHeaders : 0;
      this.#header(part.length, FRAME.continuation, { flags, streamId });
      this.#copy(part);
    }
  }

  /** DATA, in as many frames as needed; an empty one is written too. The bytes must not change until sent. */
  data(streamId: number, bytes: Buffer, endStream: boolean): void {
    assertStream(streamId);
    const max = this.maxFrameBytes;
    for (let at = 0; ; at += max) {
      const last = at + max >= bytes.length;
      const part = last && at === 0 ? bytes : bytes.subarray(at, at + max);
      const flags = last && endStream ? FLAG.endStream : 0;
      this.#header(part.length, FRAME.data, { flags, streamId });
      if (part.length <= LIMITS.copied) this.#copy(part);
      else this.#refer(part);
      if (last) return;
    }
  }

  rstStream(streamId: number, code: number): void {
    assertStream(streamId);
    this.#header(4, FRAME.rstStream, { flags: 0, streamId });
    this.#uint32(code);
  }

  settings(pairs: readonly Setting[]): void {
    this.#header(pairs.length * 6, FRAME.settings, { flags: 0, streamId: 0 });
    for (const [id, value] of pairs) {
      const page = this.#room(6);
      page.used = page.bytes.writeUInt16BE(id, page.used);
      page.used = page.bytes.writeUInt32BE(value, page.used);
      this.#size += 6;
    }
  }

  settingsAck(): void {
    this.#header(0, FRAME.settings, { flags: FLAG.ack, streamId: 0 });
  }

  /** `opaque`: 8 bytes. */
  ping(opaque: Buffer, ack: boolean): void {
    if (opaque.length !== 8) throw new TypeError("PING carries 8 bytes");
    this.#header(8, FRAME.ping, { flags: ack ? FLAG.ack : 0, streamId: 0 });
    this.#copy(opaque);
  }

  goaway(lastStreamId: number, code: number): void {
    if (lastStreamId !== 0) assertStream(lastStreamId);
    this.#header(8, FRAME.goaway, { flags: 0, streamId: 0 });
    this.#uint32(lastStreamId);
    this.#uint32(code);
  }

  /** `streamId` 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void {
    if (streamId !== 0) assertStream(streamId);
    if (!Number.isInteger(increment) || increment < 1 || increment > SIZE.maxWindow) {
      throw new TypeError(`no window grows by ${increment}`);
    }
    this.#header(4, FRAME.windowUpdate, { flags: 0, streamId });
    this.#uint32(increment);
  }

  /** What was gathered since the last call, in order; empty if nothing was. */
  take(): Buffer[] {
    this.#seal();
    const parts = this.#parts;
    this.#parts = [];
    this.#size = 0;
    const page = this.#page;
    if (page !== undefined && page.bytes.length - page.used >= LIMITS.rest) spare = page;
    this.#page = undefined;
    return parts;
  }

  #header(
    length: number,
    type: number,
    on: { readonly flags: number; readonly streamId: number },
  ): void {
    const page = this.#room(SIZE.frameHeader);
    const { bytes, used } = page;
    bytes[used] = length >>> 16;
    bytes[used + 1] = length >>> 8;
    bytes[used + 2] = length;
    bytes[used + 3] = type;
    bytes[used + 4] = on.flags;
    page.used = bytes.writeUInt32BE(on.streamId, used + 5);
    this.#size += SIZE.frameHeader;
  }

  #uint32(value: number): void {
    const page = this.#room(4);
    page.used = page.bytes.writeUInt32BE(value, page.used);
    this.#size += 4;
  }

  #copy(bytes: Buffer): void {
    let rest = bytes;
    for (;;) {
      const page = this.#room(1);
      const room = page.bytes.length - page.used;
      const part = rest.length <= room ? rest : rest.subarray(0, room);
      page.bytes.set(part, page.used);
      page.used += part.length;
      if (part === rest) break;
      rest = rest.subarray(room);
    }
    this.#size += bytes.length;
  }

  #refer(bytes: Buffer): void {
    this.#seal();
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  /** A page with room for so many bytes, few enough for the rest of any page that is kept. */
  #room(bytes: number): Page {
    const page = this.#page;
    if (page !== undefined && page.bytes.length - page.used >= bytes) return page;
    this.#seal();
    const next = spare ?? { bytes: Buffer.allocUnsafeSlow(LIMITS.page), used: 0 };
    spare = undefined;
    this.#page = next;
    this.#from = next.used;
    return next;
  }

  /** Makes what was copied since the last part a part. */
  #seal(): void {
    const page = this.#page;
    if (page === undefined || page.used === this.#from) return;
    this.#parts.push(page.bytes.subarray(this.#from, page.used));
    this.#from = page.used;
  }
}

function assertStream(streamId: number): void {
  if (!Number.isInteger(streamId) || streamId < 1 || streamId > SIZE.maxStreamId) {
    throw new TypeError(`no stream has the identifier ${streamId}`);
  }
}

/**
 * Frames as they arrive -> calls (RFC 9113 sections 4 and 6), for either end of a connection.
 *
 * It holds every rule that needs no memory of streams: sizes by type and by our
 * SETTINGS_MAX_FRAME_SIZE, which frames stand on stream 0 and which do not (frame-rules.ts), padding,
 * values of settings (settings.ts), increments of zero, and that nothing comes between a HEADERS frame
 * and the CONTINUATION frames that complete its block (header-block.ts). What depends on a stream's
 * state, on windows or on rates is for http/http2/. The preface is not read here; the first frame has
 * to be SETTINGS.
 *
 * Refused beyond the RFC: PUSH_PROMISE in either direction (clients may not send it, and ours never
 * allows it), and header blocks of more bytes or more frames than the limits.
 */
import { FLAG, FRAME, H2_ERROR, SIZE } from "./codes.ts";
import { connectionFault, type FrameFault } from "./frame-fault.ts";
import { type FrameHeader, headerFault } from "./frame-rules.ts";
import { blockFault, type BlockLimits, HeaderBlock } from "./header-block.ts";
import { isHttp1Answer } from "./other-version.ts";
import { readSettings, type Setting, type SettingsRules } from "./settings.ts";

export type { FrameFault, FrameFlood } from "./frame-fault.ts";
export type { Setting } from "./settings.ts";

/** Who is told of frames, in order and before `read` returns. No verb may throw. */
export interface FrameHandler {
  /**
   * A DATA frame without its padding. `flowBytes` is what it takes from both windows, padding
   * included. The payload is a part of the chunk, or has memory of its own where the frame was cut.
   */
  data(
    streamId: number,
    payload: Buffer,
    flags: { readonly endStream: boolean; readonly flowBytes: number },
  ): void;
  /** A whole header block, without padding and priority. To be used or copied before returning. */
  headers(streamId: number, block: Buffer, endStream: boolean): void;
  /** `streamId` is never 0. */
  rstStream(streamId: number, code: number): void;
  /** Values are in range; unknown identifiers are among them, and one may come twice. */
  settings(pairs: readonly Setting[]): void;
  settingsAck(): void;
  /** `opaque`: 8 bytes, to be used or copied before returning. */
  ping(opaque: Buffer, ack: boolean): void;
  goaway(lastStreamId: number, code: number): void;
  /** Never by 0; `streamId` 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void;
  /** A PRIORITY frame, to be counted and ignored (section 5.3.2). */
  priority(streamId: number): void;
  /** A frame of a type that we do not know, to be counted and ignored (section 5.5). */
  unknown(type: number): void;
  /** After an error of the connection nothing more is called. */
  fault(fault: FrameFault): void;
}

/** What a peer may send. */
export interface FrameLimits extends BlockLimits, SettingsRules {
  /** Our SETTINGS_MAX_FRAME_SIZE. */
  readonly maxFrameBytes: number;
}

/** What `http/http2/` sets unless it has its own reasons. */
export const DEFAULT_FRAME_LIMITS: Omit<FrameLimits, "side"> = Object.freeze({
  // The least that a peer may count on, and with it what a cut frame may make us hold.
  maxFrameBytes: SIZE.minMaxFrame,
  // As many bytes as a head may have in HTTP/1.1; compressed it has fewer.
  maxBlockBytes: 32 * 1024,
  // Honest peers fill their frames, so such a block has one; nghttp2 allows eight.
  maxContinuations: 8,
  // There are eight known settings; nghttp2 allows 32.
  maxSettings: 32,
});

const FAULTS = {
  first: connectionFault("the first frame is not SETTINGS"),
  size: connectionFault("a frame longer than SETTINGS_MAX_FRAME_SIZE", H2_ERROR.frameSizeError),
  http1: connectionFault("an answer in HTTP/1.x where HTTP/2 has to be", H2_ERROR.frameSizeError),
  interrupted: connectionFault("a frame within the header block of another one"),
  continuation: connectionFault("CONTINUATION without a header block to continue"),
  noPadding: connectionFault("a frame too short for its own fields", H2_ERROR.frameSizeError),
  padding: connectionFault("padding as long as the payload or longer"),
  window: connectionFault("an increment of 0 for the connection's window"),
} as const;

const LIMITS = {
  /**
   * Payloads that come in pieces have memory of their own from so many bytes on, which whoever copied
   * them gives back. Node's pool would end as garbage, 64 KiB for four of them: the collector took
   * half of an upload's time.
   */
  pooled: 4096,
} as const;

const NO_HEADER: FrameHeader = Object.freeze({ length: 0, type: 0, flags: 0, streamId: 0 });
const PRIORITY_BYTES = 5;
const MASK_31 = 0x7fff_ffff;

export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #limits: FrameLimits;
  /** A header that came in pieces, and how much of it is here. */
  readonly #cutHeader = Buffer.alloc(SIZE.frameHeader);
  #cutBytes = 0;
  #header: FrameHeader = NO_HEADER;
  /** The payload of a frame that came in pieces, and how much of it is here. */
  #payload: Buffer | undefined;
  #filled = 0;
  /** The header block that waits for its end. */
  #block: HeaderBlock | undefined;
  #greeted = false;
  #stopped = false;

  constructor(handler: FrameHandler, limits: FrameLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /** Whether a frame or a header block has begun and not ended: a deadline should run. */
  get partial(): boolean {
    return this.#cutBytes > 0 || this.#payload !== undefined || this.#block !== undefined;
  }

  /** Reads what has arrived. The chunk's memory must not change while a payload of it is in use. */
  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      at = this.#payload === undefined ? this.#readHeader(chunk, at) : this.#fill(chunk, at);
    }
  }

  /** Calls nothing more, not even for what the chunk being read still holds. */
  stop(): void {
    this.#stopped = true;
    this.#cutBytes = 0;
    this.#payload = undefined;
    this.#block = undefined;
  }

  /** Reads a header, and the payload where all of it is at hand. Returns where it stopped. */
  #readHeader(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#cutBytes === 0 && chunk.length - at >= SIZE.frameHeader) {
      this.#header = parseHeader(chunk, at);
      at += SIZE.frameHeader;
    } else {
      const taken = chunk.copy(this.#cutHeader, this.#cutBytes, at);
      this.#cutBytes += taken;
      at += taken;
      if (this.#cutBytes < SIZE.frameHeader) return at;
      this.#header = parseHeader(this.#cutHeader, 0);
      this.#cutBytes = 0;
    }
    const fault = this.#admit(this.#header);
    if (fault !== undefined) {
      this.#fail(fault);
      return at;
    }
    const { length } = this.#header;
    if (chunk.length - at < length) {
      this.#payload = cutPayload(length);
      this.#filled = 0;
      return at;
    }
    this.#frame(chunk.subarray(at, at + length));
    return at + length;
  }

  #fill(chunk: Buffer, at: number): number {
    const payload = this.#payload as Buffer;
    const taken = chunk.copy(payload, this.#filled, at);
    this.#filled += taken;
    if (this.#filled === payload.length) {
      this.#payload = undefined;
      this.#frame(payload);
    }
    return at + taken;
  }

  /** Whether a frame with this header may come now. */
  #admit(header: FrameHeader): FrameFault | undefined {
    const { type, length } = header;
    if (length > this.#limits.maxFrameBytes) {
      return !this.#greeted && isHttp1Answer(header) ? FAULTS.http1 : FAULTS.size;
    }
    if (!this.#greeted) {
      // Section 3.4: for both sides. An acknowledgement would answer what it cannot have seen.
      if (type !== FRAME.settings || (header.flags & FLAG.ack) !== 0) return FAULTS.first;
      this.#greeted = true;
    }
    const block = this.#block;
    if (block === undefined) {
      return type === FRAME.continuation ? FAULTS.continuation : headerFault(header);
    }
    // Section 6.10: not even a frame of an unknown type (section 5.5).
    if (type !== FRAME.continuation || header.streamId !== block.streamId) {
      return FAULTS.interrupted;
    }
    return block.announce(length, this.#limits);
  }

  #frame(payload: Buffer): void {
    const { type, flags, streamId } = this.#header;
    const handler = this.#handler;
    switch (type) {
      case FRAME.data:
        return this.#data(payload);
      case FRAME.headers:
        return this.#headers(payload);
      case FRAME.continuation:
        return this.#continuation(payload);
      case FRAME.priority:
        return this.#priority(payload);
      case FRAME.rstStream:
        return handler.rstStream(streamId, payload.readUInt32BE(0));
      case FRAME.settings:
        return this.#settings(payload);
      case FRAME.ping:
        return handler.ping(payload, (flags & FLAG.ack) !== 0);
      case FRAME.goaway:
        return handler.goaway(payload.readUInt32BE(0) & MASK_31, payload.readUInt32BE(4));
      case FRAME.windowUpdate:
        return this.#windowUpdate(payload);
      default:
        return handler.unknown(type);
    }
  }

  #data(payload: Buffer): void {
    const { flags, streamId } = this.#header;
    const bytes = this.#unpadded(payload, 0);
    if (bytes === undefined) return;
    const endStream = (flags & FLAG.endStream) !== 0;
    this.#handler.data(streamId, bytes, { endStream, flowBytes: payload.length });
  }

  #headers(payload: Buffer): void {
    const { flags, streamId } = this.#header;
    const prioritised = (flags & FLAG.priority) !== 0;
    const fragment = this.#unpadded(payload, prioritised ? PRIORITY_BYTES : 0);
    if (fragment === undefined) return;
    const fault = blockFault(fragment.length, this.#limits);
    if (fault !== undefined) return this.#fail(fault);
    const endStream = (flags & FLAG.endStream) !== 0;
    if ((flags & FLAG.endHeaders) !== 0) {
      return this.#handler.headers(streamId, fragment, endStream);
    }
    this.#block = new HeaderBlock(streamId, endStream);
    this.#block.add(fragment);
  }

  #continuation(payload: Buffer): void {
    const block = this.#block as HeaderBlock;
    block.add(payload);
    if ((this.#header.flags & FLAG.endHeaders) === 0) return;
    this.#block = undefined;
    this.#handler.headers(block.streamId, block.bytes, block.endStream);
  }

  /** The payload without its padding (section 6.1) and without `fixed` bytes before the rest. */
  #unpadded(payload: Buffer, fixed: number): Buffer | undefined {
    const padded = (this.#header.flags & FLAG.padded) !== 0;
    if (!padded && fixed === 0) return payload;
    const start = fixed + (padded ? 1 : 0);
    if (payload.length < start) return this.#fail(FAULTS.noPadding);
    const end = payload.length - (padded ? (payload[0] as number) : 0);
    if (end < start) return this.#fail(FAULTS.padding);
    return payload.subarray(start, end);
  }

  #priority(payload: Buffer): void {
    const { streamId } = this.#header;
    if (payload.length === PRIORITY_BYTES) return this.#handler.priority(streamId);
    // Section 6.3: an error of the stream.
    const detail = "PRIORITY that is not 5 bytes";
    this.#handler.fault({ code: H2_ERROR.frameSizeError, detail, streamId });
  }

  #settings(payload: Buffer): void {
    if ((this.#header.flags & FLAG.ack) !== 0) return this.#handler.settingsAck();
    const pairs = readSettings(payload, this.#limits);
    if ("code" in pairs) return this.#fail(pairs);
    this.#handler.settings(pairs);
  }

  #windowUpdate(payload: Buffer): void {
    const { streamId } = this.#header;
    const increment = payload.readUInt32BE(0) & MASK_31;
    if (increment !== 0) return this.#handler.windowUpdate(streamId, increment);
    if (streamId === 0) return this.#fail(FAULTS.window);
    // Section 6.9: an error of the stream.
    const detail = "an increment of 0 for a stream's window";
    this.#handler.fault({ code: H2_ERROR.protocolError, detail, streamId });
  }

  #fail(fault: FrameFault): undefined {
    this.stop();
    this.#handler.fault(fault);
  }
}

function parseHeader(bytes: Buffer, at: number): FrameHeader {
  const high = bytes[at] as number;
  const middle = bytes[at + 1] as number;
  const low = bytes[at + 2] as number;
  return {
    length: (high << 16) | (middle << 8) | low,
    type: bytes[at + 3] as number,
    flags: bytes[at + 4] as number,
    streamId: bytes.readUInt32BE(at + 5) & MASK_31,
  };
}

function cutPayload(length: number): Buffer {
  return length < LIMITS.pooled ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
}

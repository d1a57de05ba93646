/**
 * The chunked coding (RFC 9112 section 7.1), both ways.
 *
 * The decoder is a state machine over buffers as they arrive; it hands out slices of them and copies
 * no data. It refuses bare LF and bare CR, sizes of more than 13 hex digits, white space in a chunk
 * line, extensions that are not `;name[=value]` or beyond a limit (CVE-2023-39326), data that is not
 * followed by CR LF, and trailers that break the rules for field lines or would frame or route the
 * message. Extensions are dropped: they are hop-by-hop. Other forbidden trailers are dropped too
 * (trailers.ts).
 */
import type { Fields } from "../../model/http.ts";
import { emptySection, readFieldLines } from "./field-lines.ts";
import { headFault, type HeadFault } from "../head-fault.ts";
import {
  allowedTrailers,
  DEFAULT_TRAILER_LIMITS,
  isFramingTrailer,
  type TrailerLimits,
} from "../trailers.ts";
import { writeFieldLines } from "./write-head.ts";

export interface ChunkedLimits extends TrailerLimits {
  /** Bytes of chunk extensions in the whole body. */
  readonly maxExtensionBytes: number;
}

/** Extensions are all but unused: signed uploads to S3 send some 90 bytes a chunk. */
export const DEFAULT_CHUNKED_LIMITS: ChunkedLimits = Object.freeze({
  maxExtensionBytes: 16 * 1024,
  ...DEFAULT_TRAILER_LIMITS,
});

const LIMITS = {
  /** 13 hex digits, padding included: 4 PiB, within the integers that JavaScript counts exactly. */
  sizeDigits: 13,
} as const;

const FAULTS = {
  size: headFault("a chunk size that is not 1 to 13 hex digits"),
  sizeEnd: headFault("a chunk size followed by something other than CR LF or an extension"),
  extension: headFault("a chunk extension that is not ;name[=value]"),
  extensionLength: headFault("more bytes of chunk extensions than the limit"),
  lineEnd: headFault("a chunk line that does not end in CR LF"),
  dataEnd: headFault("chunk data that is not followed by CR LF"),
  trailerLength: headFault("a trailer section longer than the limit"),
  trailerFraming: headFault("a trailer that frames or routes the message"),
} as const;

const STATE = {
  size: 0,
  extensionName: 1,
  extensionValue: 2,
  quoted: 3,
  quotedPair: 4,
  quotedEnd: 5,
  lineLf: 6,
  data: 7,
  dataCr: 8,
  dataLf: 9,
  trailers: 10,
  done: 11,
} as const;
const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const TOKEN_BYTES = tokenBytes();

/** One chunked body, decoded as it arrives. */
export class ChunkedDecoder {
  readonly #limits: ChunkedLimits;
  #state: number = STATE.size;
  #digits = 0;
  /** Size while a chunk line is read, then what is left of the chunk. */
  #left = 0;
  #emptyPart = false;
  #extensionBytes = 0;
  #trailerText = "";
  #trailers: Fields = [];

  constructor(limits: ChunkedLimits = DEFAULT_CHUNKED_LIMITS) {
    this.#limits = limits;
  }

  /** Whether the body with its trailers is complete. */
  get done(): boolean {
    return this.#state === STATE.done;
  }

  /** The trailers that may be passed on; empty until `done`. */
  get trailers(): Fields {
    return this.#trailers;
  }

  /**
   * Takes bytes from `start` on and hands each run of data to `onData`, as slices of `buffer`.
   *
   * Returns the index after the last byte taken: the buffer's length, or less once `done`, where
   * the next message begins. After a fault the decoder must not be used again.
   */
  write(buffer: Buffer, start: number, onData: (data: Buffer) => void): number | HeadFault {
    let position = start;
    while (position < buffer.length && this.#state !== STATE.done) {
      if (this.#state === STATE.data) {
        const end = Math.min(position + this.#left, buffer.length);
        this.#left -= end - position;
        if (this.#left === 0) this.#state = STATE.dataCr;
        onData(buffer.subarray(position, end));
        position = end;
      } else if (this.#state === STATE.trailers) {
        const taken = this.#takeTrailers(buffer, position);
        if (typeof taken !== "number") return taken;
        position = taken;
      } else {
        const fault = this.#takeByte(buffer[position] ?? 0);
        if (fault !== undefined) return fault;
        position += 1;
      }
    }
    return position;
  }

  #takeByte(byte: number): HeadFault | undefined {
    switch (this.#state) {
      case STATE.size:
        return this.#takeSize(byte);
      case STATE.lineLf:
        if (byte !== LF) return FAULTS.lineEnd;
        this.#state = this.#left === 0 ? STATE.trailers : STATE.data;
        return undefined;
      case STATE.dataCr:
        if (byte !== CR) return FAULTS.dataEnd;
        this.#state = STATE.dataLf;
        return undefined;
      case STATE.dataLf:
        if (byte !== LF) return FAULTS.dataEnd;
        this.#state = STATE.size;
        this.#digits = 0;
        return undefined;
      default:
        return this.#takeExtension(byte);
    }
  }

  #takeSize(byte: number): HeadFault | undefined {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#digits += 1;
      if (this.#digits > LIMITS.sizeDigits) return FAULTS.size;
      this.#left = this.#left * 16 + digit;
      return undefined;
    }
    if (this.#digits === 0) return FAULTS.size;
    if (byte === CR) this.#state = STATE.lineLf;
    else if (byte === SEMICOLON) this.#beginExtension(STATE.extensionName);
    else return FAULTS.sizeEnd;
    return undefined;
  }

  #beginExtension(state: number): void {
    this.#state = state;
    this.#emptyPart = true;
  }

  /** Section 7.1.1, without the white space that it calls bad. */
  #takeExtension(byte: number): HeadFault | undefined {
    this.#extensionBytes += 1;
    if (this.#extensionBytes > this.#limits.maxExtensionBytes) return FAULTS.extensionLength;
    const state = this.#state;
    if (state === STATE.quotedPair) {
      if (!isQuotable(byte)) return FAULTS.extension;
      this.#state = STATE.quoted;
    } else if (state === STATE.quoted) {
      if (byte === QUOTE) this.#state = STATE.quotedEnd;
      else if (byte === BACKSLASH) this.#state = STATE.quotedPair;
      else if (!isQuotable(byte)) return FAULTS.extension;
    } else if (state !== STATE.quotedEnd && TOKEN_BYTES[byte] === 1) {
      this.#emptyPart = false;
    } else if (state === STATE.extensionValue && byte === QUOTE && this.#emptyPart) {
      this.#state = STATE.quoted;
    } else if (state !== STATE.quotedEnd && this.#emptyPart) {
      return FAULTS.extension;
    } else if (byte === CR) {
      this.#state = STATE.lineLf;
    } else if (byte === SEMICOLON) {
      this.#beginExtension(STATE.extensionName);
    } else if (byte === EQUALS && state === STATE.extensionName) {
      this.#beginExtension(STATE.extensionValue);
    } else {
      return FAULTS.extension;
    }
    return undefined;
  }

  /** Gathers the trailer section up to its empty line; it is short and bounded, so it is copied. */
  #takeTrailers(buffer: Buffer, start: number): number | HeadFault {
    const before = this.#trailerText.length;
    const room = this.#limits.maxTrailerBytes + 2 - before;
    const taken = Math.min(buffer.length, start + room);
    this.#trailerText += buffer.toString("latin1", start, taken);
    const text = this.#trailerText;
    const end = sectionEnd(text, before);
    if (end === -1) {
      return text.length > this.#limits.maxTrailerBytes ? FAULTS.trailerLength : taken;
    }
    const fault = this.#readTrailers(text.slice(0, end));
    this.#state = STATE.done;
    return fault ?? start + end - before;
  }

  #readTrailers(text: string): HeadFault | undefined {
    this.#trailerText = "";
    if (text.length === 2) return undefined;
    const section = emptySection();
    const lines = { bytes: Buffer.from(text, "latin1"), offset: 0, text };
    const fault = readFieldLines(section, lines, {
      position: 0,
      maxFields: this.#limits.maxTrailerFields,
      framing: false,
    });
    if (fault !== undefined) return fault;
    if (section.fields.some((name, index) => index % 2 === 0 && isFramingTrailer(name))) {
      return FAULTS.trailerFraming;
    }
    this.#trailers = allowedTrailers(section.fields);
    return undefined;
  }
}

/** The line before a chunk of so many bytes, which must not be 0: that would end the body. */
export function chunkHead(length: number): string {
  if (!Number.isSafeInteger(length) || length <= 0)
    throw new TypeError(`no chunk of ${length} bytes`);
  return `${length.toString(16)}\r\n`;
}

/** What follows the bytes of a chunk. */
export const CHUNK_TAIL = "\r\n";

/** The last chunk with the trailers; throws a TypeError for a field that `writeFieldLines` refuses. */
export function lastChunk(trailers: Fields): string {
  return `0\r\n${writeFieldLines(trailers)}\r\n`;
}

/** Index after the empty line that ends a trailer section, or -1. `searchedTo` was searched before. */
function sectionEnd(text: string, searchedTo: number): number {
  if (text.startsWith("\r\n")) return 2;
  const at = text.indexOf("\r\n\r\n", Math.max(searchedTo - 3, 0));
  return at === -1 ? -1 : at + 4;
}

/** -1 where the byte is not a hex digit. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** qdtext and quoted-pair: HTAB, SP, visible ASCII, obs-text (RFC 9110 section 5.6.4). */
function isQuotable(byte: number): boolean {
  return byte === 0x09 || (byte >= 0x20 && byte !== 0x7f);
}

function tokenBytes(): Uint8Array {
  const table = new Uint8Array(256);
  for (const letter of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    table[letter.charCodeAt(0)] = 1;
    table[letter.toUpperCase().charCodeAt(0)] = 1;
  }
  return table;
}

/**
 * The little of HTTP/2 that load needs: frames put together and told apart, and field blocks that
 * use no table, so that a request made once can be sent on any connection (RFC 9113, RFC 7541).
 *
 * Kept apart from `src/wire/http2` on purpose: what measures does not share the faults of what is
 * measured, and floods are made of frames that a good engine does not write.
 */

export const FRAME = {
  data: 0x0,
  headers: 0x1,
  rstStream: 0x3,
  settings: 0x4,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4 } as const;

/** RFC 9113 section 3.4. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** As large as RFC 9113 section 6.9.1 allows. */
export const LARGEST_WINDOW = 2 ** 31 - 1;
const FIRST_WINDOW = 65_535;
const SETTINGS_INITIAL_WINDOW_SIZE = 0x4;

const HEAD_BYTES = 9;
const NOTHING: Buffer = Buffer.alloc(0);

export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}

export function frame({ type, flags, stream }: FrameHead, payload: Buffer = NOTHING): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, HEAD_BYTES);
  return bytes;
}

/** Puts another stream into a frame that was made before. */
export function retarget(bytes: Buffer, at: number, stream: number): void {
  bytes.writeUInt32BE(stream, at + 5);
}

/** Preface and settings of a client that takes all that is sent to it. */
export function opening(): Buffer {
  const window = Buffer.alloc(6);
  window.writeUInt16BE(SETTINGS_INITIAL_WINDOW_SIZE, 0);
  window.writeUInt32BE(LARGEST_WINDOW, 2);
  return Buffer.concat([
    PREFACE,
    frame({ type: FRAME.settings, flags: 0, stream: 0 }, window),
    windowUpdate(LARGEST_WINDOW - FIRST_WINDOW),
  ]);
}

export function windowUpdate(increment: number, stream = 0): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame({ type: FRAME.windowUpdate, flags: 0, stream }, payload);
}

/** A request as `fieldBlock` takes it, pseudo-fields first. */
export function requestFields(
  { method, path, port }: { readonly method: string; readonly path: string; readonly port: number },
  fields: readonly string[],
): string[] {
  const authority = `127.0.0.1:${port}`;
  const pseudo = [":method", method, ":scheme", "http", ":path", path, ":authority", authority];
  return [...pseudo, ...fields];
}

/** Names and values in turn as literals without indexing, names and values without Huffman (RFC 7541 section 6.2.2). */
export function fieldBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    parts.push(Buffer.of(0), literal(fields[index] ?? ""), literal(fields[index + 1] ?? ""));
  }
  return Buffer.concat(parts);
}

function literal(text: string): Buffer {
  return Buffer.concat([lengthPrefix(text.length), Buffer.from(text, "latin1")]);
}

/** An integer with a prefix of 7 bits (RFC 7541 section 5.1). */
function lengthPrefix(length: number): Buffer {
  if (length < 127) return Buffer.of(length);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Told of each whole frame; the payload is valid until the call returns. */
export type FrameListener = (head: FrameHead, payload: Buffer) => void;

/** Tells frames apart, however the bytes are cut. It judges nothing. */
export class FrameSplitter {
  readonly #listener: FrameListener;
  #rest = NOTHING;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const head = {
        type: bytes[at + 3] ?? 0,
        flags: bytes[at + 4] ?? 0,
        stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
      };
      this.#listener(head, bytes.subarray(at + HEAD_BYTES, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}

/**
 * Whether a block's first field is `:status: 200`, which every encoder writes as index 8 of the
 * static table; a change of the dynamic table's size may stand before it (RFC 7541 section 6.3).
 */
export function saysOk(block: Buffer): boolean {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) {
    if ((block[at] ?? 0) === 0x3f) while ((block[++at] ?? 0) >= 128);
    at += 1;
  }
  return block[at] === 0x88;
}

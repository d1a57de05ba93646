/**
 * Frames of HTTP/2 as bytes, and bytes as frames: RFC 9113 section 4.1 and nothing more. The writer
 * writes whatever it is told, so that anything invalid can be sent; the reader judges nothing.
 */
import { FLAGS, TYPE } from "./codes.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const HEAD_BYTES = 9;

/** A frame of any type; `length` announces another length than the payload has. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer | string = "",
  length?: number,
): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(length ?? bytes.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  // The reserved bit goes out as the caller has it: from 2^31 on it is set.
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, bytes]);
}

export function dataFrame(streamId: number, payload: Buffer | string, flags = 0): Buffer {
  return frame(TYPE.data, flags, streamId, payload);
}

/** One HEADERS frame with the whole block. */
export function headersFrame(streamId: number, block: Buffer, flags: number): Buffer {
  return frame(TYPE.headers, flags, streamId, block);
}

export function continuationFrame(streamId: number, block: Buffer, flags = 0): Buffer {
  return frame(TYPE.continuation, flags, streamId, block);
}

export function priorityFrame(streamId: number, dependency: number, weight = 15): Buffer {
  return frame(TYPE.priority, 0, streamId, Buffer.concat([uint32(dependency), Buffer.of(weight)]));
}

export function rstStreamFrame(streamId: number, code: number): Buffer {
  return frame(TYPE.rstStream, 0, streamId, uint32(code));
}

export function settingsFrame(pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = pairs.map(([id, value]) => {
    const bytes = Buffer.alloc(6);
    bytes.writeUInt16BE(id, 0);
    bytes.writeUInt32BE(value, 2);
    return bytes;
  });
  return frame(TYPE.settings, 0, 0, Buffer.concat(payload));
}

export function settingsAckFrame(): Buffer {
  return frame(TYPE.settings, FLAGS.ack, 0);
}

export function pingFrame(opaque: string, flags = 0): Buffer {
  return frame(TYPE.ping, flags, 0, opaque);
}

export function goawayFrame(lastStreamId: number, code: number, debug = ""): Buffer {
  const parts = [uint32(lastStreamId), uint32(code), Buffer.from(debug, "latin1")];
  return frame(TYPE.goaway, 0, 0, Buffer.concat(parts));
}

export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  return frame(TYPE.windowUpdate, 0, streamId, uint32(increment));
}

/** A payload with so much padding behind it and its length before it (RFC 9113 section 6.1). */
export function padded(payload: Buffer | string, padding: number, announced = padding): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  return Buffer.concat([Buffer.of(announced), bytes, Buffer.alloc(padding)]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The whole frames that lie in `bytes`, and what is left behind them. */
export function readFrames(bytes: Buffer): { readonly frames: Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= HEAD_BYTES) {
    const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      streamId: bytes.readUInt32BE(at + 5) % 2 ** 31,
      payload: bytes.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

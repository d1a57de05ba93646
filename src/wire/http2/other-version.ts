/**
 * The other version of HTTP, by its first bytes. A service whose endpoint has the wrong scheme answers in
 * it; nothing of that is read, but operators are told what came and not that it is garbage.
 */
import { FRAME, SIZE } from "./codes.ts";
import type { FrameHeader } from "./frame-rules.ts";

/** "HTTP", read as the length and the type of a frame. */
const HTTP1 = { length: 0x48_54_54, type: 0x50 } as const;

/** Whether a frame's header is the beginning of an answer in HTTP/1.x. */
export function isHttp1Answer(header: FrameHeader): boolean {
  return header.length === HTTP1.length && header.type === HTTP1.type;
}

/** Whether `bytes` from `start` on begin as a server's HTTP/2 does: with SETTINGS (RFC 9113 section 3.4). */
export function isHttp2Answer(bytes: Buffer, start = 0): boolean {
  if (bytes.length - start < SIZE.frameHeader) return false;
  const length = bytes.readUIntBE(start, 3);
  const settings = bytes[start + 3] === FRAME.settings && bytes[start + 4] === 0;
  return settings && length % 6 === 0 && bytes.readUInt32BE(start + 5) === 0;
}

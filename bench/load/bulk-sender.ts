/** Sends a given number of bytes as fast as the other side takes them, and knows how far it is. */
import type { Writable } from "node:stream";

const CHUNK = Buffer.alloc(64 * 1024, "sallyport ");

/** Writes `bytes` bytes and ends the stream. `handedOver` is told of each chunk that the stream took. */
export function sendBulk(
  target: Writable,
  bytes: number,
  handedOver: (bytes: number) => void,
): void {
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      const more = target.write(chunk);
      handedOver(chunk.length);
      if (!more && left > 0) {
        target.once("drain", send);
        return;
      }
    }
    target.end();
  };
  send();
}

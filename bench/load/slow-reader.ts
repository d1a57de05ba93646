/**
 * Reads a stream slower than it comes: a piece, then a pause. What is not read stays in the kernel's
 * buffers, which fill, and so the one who sends has to wait.
 */
import type { Readable } from "node:stream";

export interface ReadingPace {
  /** Bytes between two pauses. */
  readonly pieceBytes: number;
  readonly pauseMs: number;
}

/** Resolves with the bytes read at its end. `read` is told of each chunk. */
export function readSlowly(
  source: Readable,
  pace: ReadingPace,
  read: (bytes: number) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let total = 0;
    let untilPause = pace.pieceBytes;
    source.on("data", (chunk: Uint8Array) => {
      total += chunk.length;
      untilPause -= chunk.length;
      read(chunk.length);
      if (untilPause > 0) return;
      untilPause = pace.pieceBytes;
      source.pause();
      setTimeout(() => source.resume(), pace.pauseMs);
    });
    source.once("error", reject);
    source.once("end", () => resolve(total));
  });
}

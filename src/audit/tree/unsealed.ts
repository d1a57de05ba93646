/**
 * Leaves that no checkpoint covers yet, segment by segment: the hashes of lines, computed as they come, so
 * that the records themselves need not be kept.
 */
import { HASH_BYTES, leafHashInPlace } from "./hashing.ts";

const LIMITS = {
  /** Hashes that there is room for at first. */
  initial: 64,
} as const;

const LINE_FEED = 0x0a;

interface Waiting {
  hashes: Buffer;
  records: number;
  bytes: number;
}

export class Unsealed {
  readonly #segments = new Map<string, Waiting>();
  /** A batch with one byte before it, for the prefix of its first leaf. */
  #copy = Buffer.alloc(0);
  #records = 0;

  get records(): number {
    return this.#records;
  }

  bytes(segment: string): number {
    return this.#segments.get(segment)?.bytes ?? 0;
  }

  /** Whole lines of a segment that follow those before. */
  take(segment: string, lines: Uint8Array, count: number): void {
    const waiting = this.#room(segment, count);
    if (this.#copy.length < lines.length + 1) this.#copy = Buffer.allocUnsafe(lines.length + 1);
    const copy = this.#copy.subarray(0, lines.length + 1);
    copy.set(lines, 1);
    let at = waiting.records * HASH_BYTES;
    let from = 0;
    let taken = 0;
    for (let to = copy.indexOf(LINE_FEED, 1); to >= 0; to = copy.indexOf(LINE_FEED, from + 1)) {
      if (taken === count) throw new TypeError("a batch has more lines than it says");
      leafHashInPlace(waiting.hashes, at, { bytes: copy, from, to });
      at += HASH_BYTES;
      from = to;
      taken += 1;
    }
    if (taken !== count || from !== lines.length) throw new TypeError("a batch is not whole lines");
    waiting.records += count;
    waiting.bytes += lines.length;
    this.#records += count;
  }

  /** In the order in which they become leaves. */
  parts(): { segment: string; records: number; bytes: number; hashes: Buffer }[] {
    return [...this.#segments]
      .filter(([, { records }]) => records > 0)
      .map(([segment, { hashes, records, bytes }]) => {
        return { segment, records, bytes, hashes: hashes.subarray(0, records * HASH_BYTES) };
      })
      .toSorted((left, right) => (left.segment < right.segment ? -1 : 1));
  }

  clear(): void {
    this.#segments.clear();
    this.#records = 0;
  }

  #room(segment: string, count: number): Waiting {
    let waiting = this.#segments.get(segment);
    if (waiting === undefined) {
      waiting = { hashes: Buffer.alloc(LIMITS.initial * HASH_BYTES), records: 0, bytes: 0 };
      this.#segments.set(segment, waiting);
    }
    const wanted = (waiting.records + count) * HASH_BYTES;
    if (wanted > waiting.hashes.length) {
      const grown = Buffer.alloc(Math.max(wanted, waiting.hashes.length * 2));
      waiting.hashes.copy(grown, 0, 0, waiting.records * HASH_BYTES);
      waiting.hashes = grown;
    }
    return waiting;
  }
}

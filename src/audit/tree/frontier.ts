/**
 * A Merkle tree that only grows, as small as it can be held: of each complete subtree at its right edge
 * the hash. Leaves are added as hashes, and the root is known at any size.
 */
import { EMPTY_ROOT, HASH_BYTES, nodeHash, nodeHashInto } from "./hashing.ts";

const LIMITS = {
  /** Sizes are exact up to 2^53. */
  levels: 53,
} as const;

/** Told of each subtree that is complete: `index` counts those of its level (0: leaves) from the left. */
export type OnComplete = (level: number, hashes: Buffer, at: number) => void;

export class Frontier {
  /** By level: hash of the complete subtree of 2^level leaves, where the size has that bit. */
  readonly #levels = Buffer.alloc(LIMITS.levels * HASH_BYTES);
  readonly #carry = Buffer.alloc(HASH_BYTES);
  readonly #onComplete: OnComplete | undefined;
  #size = 0;

  /** `peaks`: the hashes of the complete subtrees that `size` leaves make up, largest first. */
  constructor(start?: { size: number; peaks: readonly Uint8Array[] }, onComplete?: OnComplete) {
    this.#onComplete = onComplete;
    if (start === undefined) return;
    const levels = peakLevels(start.size);
    if (levels.length !== start.peaks.length)
      throw new TypeError("a peak for each bit of the size");
    for (const [index, level] of levels.entries()) {
      this.#levels.set(start.peaks[index] as Uint8Array, level * HASH_BYTES);
    }
    this.#size = start.size;
  }

  get size(): number {
    return this.#size;
  }

  /** One that grows by itself from here on. */
  branch(onComplete?: OnComplete): Frontier {
    const other = new Frontier(undefined, onComplete);
    this.#levels.copy(other.#levels);
    other.#size = this.#size;
    return other;
  }

  /** Adds leaf hashes: `count` of them, from the byte `at` on. */
  add(hashes: Uint8Array, at = 0, count = 1): void {
    for (let index = 0; index < count; index++) this.#addOne(hashes, at + index * HASH_BYTES);
  }

  root(): Buffer {
    const levels = peakLevels(this.#size);
    if (levels.length === 0) return Buffer.from(EMPTY_ROOT);
    // From the smallest on: a peak and all that is to its right are the halves of a node.
    return levels
      .map((level) => this.#at(level))
      .reduceRight((right, left) => nodeHash(left, right));
  }

  #at(level: number): Buffer {
    const copy: Buffer = Buffer.alloc(HASH_BYTES);
    this.#levels.copy(copy, 0, level * HASH_BYTES, (level + 1) * HASH_BYTES);
    return copy;
  }

  #addOne(hashes: Uint8Array, at: number): void {
    const levels = this.#levels;
    let [source, from, level]: [Uint8Array, number, number] = [hashes, at, 0];
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const halves = { left: levels, leftAt: level * HASH_BYTES, right: source, rightAt: from };
      nodeHashInto(this.#carry, 0, halves);
      [source, from] = [this.#carry, 0];
      level += 1;
      this.#onComplete?.(level, this.#carry, 0);
    }
    for (let byte = 0; byte < HASH_BYTES; byte++) {
      levels[level * HASH_BYTES + byte] = source[from + byte] as number;
    }
    this.#size += 1;
  }
}

/** Levels of the complete subtrees that `size` leaves make up, largest first: the bits of the size. */
export function peakLevels(size: number): number[] {
  const levels: number[] = [];
  for (let [rest, level] = [size, 0]; rest > 0; level++) {
    if (rest % 2 === 1) levels.unshift(level);
    rest = Math.floor(rest / 2);
  }
  return levels;
}

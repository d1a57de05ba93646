/**
 * Proofs of a Merkle tree: that a leaf is in it, and that a later tree begins with all of an earlier one
 * (RFC 9162 section 2.1.3, 2.1.4). They are made from the hashes of complete subtrees, whoever keeps them.
 */
import { EMPTY_ROOT, nodeHash } from "./hashing.ts";

/** The hash of the complete subtree of 2^level leaves that is the `index`th of its level. */
export type ReadNode = (level: number, index: number) => Buffer;

/** The root of the first `size` leaves. */
export function treeHead(size: number, read: ReadNode): Buffer {
  return size === 0 ? Buffer.from(EMPTY_ROOT) : rangeHash(0, size, read);
}

/** RFC 9162 section 2.1.3.1. Throws RangeError for a leaf that the tree does not have. */
export function inclusionProof(index: number, size: number, read: ReadNode): Buffer[] {
  if (!isIndex(index) || !isIndex(size) || index >= size) throw new RangeError("no such leaf");
  const proof: Buffer[] = [];
  for (let [from, to] = [0, size]; to - from > 1;) {
    const middle = from + largestPowerBelow(to - from);
    // From the root down; a proof is told from the leaf up.
    if (index < middle) {
      proof.unshift(rangeHash(middle, to, read));
      to = middle;
    } else {
      proof.unshift(rangeHash(from, middle, read));
      from = middle;
    }
  }
  return proof;
}

/** RFC 9162 section 2.1.4.1. Throws RangeError unless `earlier` is at most `size`. Empty where either tree says nothing. */
export function consistencyProof(earlier: number, size: number, read: ReadNode): Buffer[] {
  if (!isIndex(earlier) || !isIndex(size) || earlier > size) throw new RangeError("no such tree");
  if (earlier === 0 || earlier === size) return [];
  const proof: Buffer[] = [];
  let [from, to, whole] = [0, size, true];
  while (earlier !== to) {
    const middle = from + largestPowerBelow(to - from);
    if (earlier <= middle) {
      proof.unshift(rangeHash(middle, to, read));
      to = middle;
    } else {
      proof.unshift(rangeHash(from, middle, read));
      [from, whole] = [middle, false];
    }
  }
  return whole ? proof : [rangeHash(from, to, read), ...proof];
}

/** Hash over leaves from..to, where `from` is one that a subtree can begin at. */
function rangeHash(from: number, to: number, read: ReadNode): Buffer {
  const count = to - from;
  const power = count === 1 ? 1 : largestPowerBelow(count);
  if (count === 1 || power * 2 === count) {
    const level = Math.round(Math.log2(count));
    return read(level, from / count);
  }
  return nodeHash(rangeHash(from, from + power, read), rangeHash(from + power, to, read));
}

/** The largest power of two that is smaller than `count`. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

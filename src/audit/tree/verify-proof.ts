/**
 * Whether a proof of a Merkle tree holds: RFC 9162 section 2.1.3.2 and 2.1.4.2, and the same of subtrees
 * (draft-ietf-plants-merkle-tree-certs section 4). Needs nothing of the tree but its root.
 *
 * False for whatever is not a proof, and for positions that no tree has; never throws.
 */
import { EMPTY_ROOT, HASH_BYTES, nodeHash } from "./hashing.ts";

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
  /** First leaf of the subtree that is meant, of which `size` is the end. Default 0: all of the tree. */
  readonly start?: number;
}

export function verifyInclusion(inclusion: Inclusion): boolean {
  const { index, size, leaf, proof, root, start = 0 } = inclusion;
  if (!isSubtree(start, size) || !isIndex(index) || index < start || index >= size) return false;
  if (![leaf, root, ...proof].every(isHash)) return false;
  let [at, last] = [index - start, size - start - 1];
  let hash: Uint8Array = leaf;
  for (const step of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(step, hash);
      // Without a sibling on these levels: the node is handed up as it is.
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      hash = nodeHash(hash, step);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && same(hash, root);
}

export interface Consistency {
  /** Leaves of the earlier tree; of a subtree, its end. */
  readonly earlier: number;
  readonly size: number;
  readonly earlierRoot: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
  /** First leaf of a subtree. Default 0: the earlier tree itself. */
  readonly start?: number;
}

/**
 * A tree without a leaf proves nothing, so it is consistent with none. (A subtree without one is: there
 * is one root that it can have.)
 */
export function verifyConsistency(consistency: Consistency): boolean {
  const { earlier, size, earlierRoot, root, proof, start = 0 } = consistency;
  if (!isIndex(size) || earlier > size) return false;
  if (consistency.start === earlier) return proof.length === 0 && EMPTY_ROOT.equals(earlierRoot);
  if (!isSubtree(start, earlier)) return false;
  if (start === 0 && earlier === size) return proof.length === 0 && same(earlierRoot, root);
  if (![earlierRoot, root, ...proof].every(isHash)) return false;
  // To the smallest complete subtree that ends where the earlier tree does, and is a node of both.
  let place: Place = [start, earlier - 1, size - 1];
  while (place[0] !== place[1] && (place[1] === place[2] || place[1] % 2 === 1)) {
    place = above(place);
  }
  const [head, ...rest] = place[0] === place[1] ? [earlierRoot, ...proof] : proof;
  if (head === undefined) return false;
  let earlierHash: Uint8Array = head;
  let hash: Uint8Array = head;
  for (const step of rest) {
    const [first, at, last] = place;
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      if (first < at) earlierHash = nodeHash(step, earlierHash);
      hash = nodeHash(step, hash);
      while (place[1] % 2 === 0 && place[1] !== 0) place = above(place);
    } else {
      hash = nodeHash(hash, step);
    }
    place = above(place);
  }
  return place[2] === 0 && same(earlierHash, earlierRoot) && same(hash, root);
}

/** On one level: nodes of the first leaf, of the last leaf of the earlier tree, and of that of the later one. */
type Place = readonly [first: number, at: number, last: number];

function above([first, at, last]: Place): Place {
  return [half(first), half(at), half(last)];
}

/** Whether start..end is a subtree: not empty, and it begins at a multiple of its size, rounded up to a power of two. */
function isSubtree(start: number, end: number): boolean {
  if (!isIndex(start) || !isIndex(end) || start >= end) return false;
  let power = 1;
  while (power < end - start) power *= 2;
  return start % power === 0;
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(value: Uint8Array): boolean {
  return value.length === HASH_BYTES;
}

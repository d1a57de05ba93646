/**
 * The two hashes of a Merkle tree (RFC 9162 section 2.1.1): of a leaf, SHA-256 of 0x00 and its bytes;
 * of a node, SHA-256 of 0x01 and the hashes of its two halves. The prefixes keep a node from being
 * taken for a leaf.
 */
import { hash } from "node:crypto";

export const HASH_BYTES = 32;

/** Hash of a tree without a leaf (RFC 9162 section 2.1.1). */
export const EMPTY_ROOT: Buffer = hash("sha256", "", "buffer");

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** Of a leaf by its bytes. */
export function leafHash(bytes: Uint8Array): Buffer {
  const prefixed = Buffer.allocUnsafe(bytes.length + 1);
  prefixed[0] = LEAF_PREFIX;
  prefixed.set(bytes, 1);
  return hash("sha256", prefixed, "buffer");
}

/** Of a node by the hashes of its halves. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(HASH_BYTES);
  nodeHashInto(result, 0, { left, leftAt: 0, right, rightAt: 0 });
  return result;
}

export interface Halves {
  readonly left: Uint8Array;
  readonly leftAt: number;
  readonly right: Uint8Array;
  readonly rightAt: number;
}

const node = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

/** The same without an allocation; the target may be one of the halves. */
export function nodeHashInto(target: Buffer, at: number, halves: Halves): void {
  const { left, leftAt, right, rightAt } = halves;
  for (let index = 0; index < HASH_BYTES; index++) {
    node[1 + index] = left[leftAt + index] as number;
    node[1 + HASH_BYTES + index] = right[rightAt + index] as number;
  }
  digestInto(target, at, node);
}

/**
 * The leaf hash of `bytes[from + 1 .. to)` is written to `target`; `bytes[from]`, which stands in front
 * of the leaf (the line feed of the line before), becomes its prefix and is not put back.
 */
export function leafHashInPlace(
  target: Buffer,
  at: number,
  line: { readonly bytes: Buffer; readonly from: number; readonly to: number },
): void {
  line.bytes[line.from] = LEAF_PREFIX;
  digestInto(target, at, line.bytes.subarray(line.from, line.to));
}

function digestInto(target: Buffer, at: number, data: Buffer): void {
  // As a text of one character a byte: a Buffer of its own takes Node another 1.4 µs (measured: 1.9 µs
  // against 0.5 for a node, 3.1 against 1.4 for 750 bytes; on Bun both take 0.3 and 0.9).
  target.write(hash("sha256", data, "binary"), at, HASH_BYTES, "latin1");
}

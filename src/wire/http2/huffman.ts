/**
 * Huffman coded text of HPACK (RFC 7541 section 5.2), both ways.
 *
 * Decoding steps through octets, not bits: a state is an inner node of the code's tree, and one table
 * says for each state and octet which symbols end within it and where it leads. Refused are EOS, and
 * padding that is longer than 7 bits or not of ones: two encodings of one text would be two texts to
 * whoever compares bytes.
 */
import { CODE_BITS, CODES, EOS, SYMBOLS } from "./huffman-code.ts";

/** The tree has as many inner nodes as the code has symbols, less one. */
const STATES = EOS;
/** Where no symbol of ours is: the code for EOS ends within this octet. */
const REFUSED = -1;
/** An octet ends at most this many symbols: the shortest code has 5 bits. */
export const MAX_SYMBOLS_PER_OCTET = 2;

const tree = growTree();

/**
 * For state × octet: next state (8 bits), how many symbols end (8), the second, the first.
 *
 * 256 KiB, of which text touches a few rows: 3.5 ns an octet on Bun and 3.8 on Node for a token of 600
 * characters, where a table of nibbles (8 KiB) took 7.5 and 8.9, and looking up 10 bits at a time 5.4
 * and 6.5.
 */
const STEPS = fillSteps();

/** States in which a text may end: at the root, or 1 to 7 ones below it, which are padding. */
const MAY_END = markEnds();

/**
 * Decodes `bytes` from `start` to `end` into `out`, which has room for `maxDecodedLength` octets.
 * Gives how many it wrote, or -1 where the bytes are no Huffman coded text.
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number, out: Buffer): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const step = STEPS[(state << 8) | (bytes[at] as number)] as number;
    if (step === REFUSED) return -1;
    // Written whether they are symbols or not: what is not is written over by the next octet.
    out[length] = step & 0xff;
    out[length + 1] = (step >>> 8) & 0xff;
    length += (step >>> 16) & 0xff;
    state = step >>> 24;
  }
  return MAY_END[state] === 1 ? length : -1;
}

/** Room that decoding so many octets needs: codes have 5 bits at least, and two octets are scratch. */
export function maxDecodedLength(octets: number): number {
  return ((octets * 8) / 5 + MAX_SYMBOLS_PER_OCTET) | 0;
}

/** Octets that latin1 text has when it is Huffman coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let index = 0; index < text.length; index += 1) {
    bits += CODE_BITS[text.charCodeAt(index)] as number;
  }
  return (bits + 7) >>> 3;
}

/** Writes latin1 text Huffman coded into `out` from `at`; gives the place behind it. */
export function encodeHuffman(text: string, out: Buffer, at: number): number {
  let pending = 0;
  let bits = 0;
  let end = at;
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index);
    const code = CODES[symbol] as number;
    let length = CODE_BITS[symbol] as number;
    // 7 bits may be pending, and 32 is all there is: long codes go in two parts.
    if (length > 16) {
      length -= 16;
      pending = (pending << length) | (code >>> 16);
      bits += length;
      while (bits >= 8) out[end++] = pending >>> (bits -= 8);
      length = 16;
    }
    pending = (pending << length) | (code & 0xffff);
    bits += length;
    while (bits >= 8) out[end++] = pending >>> (bits -= 8);
  }
  if (bits > 0) out[end++] = (pending << (8 - bits)) | (0xff >>> bits);
  return end;
}

/** Both children of each inner node: a node's number, or a symbol as its complement. Node 0 is the root. */
function growTree(): Int16Array {
  const children = new Int16Array(2 * STATES);
  let nodes = 1;
  for (const symbol of SYMBOLS) {
    const code = CODES[symbol] ?? 0;
    let node = 0;
    for (let bit = (CODE_BITS[symbol] ?? 0) - 1; bit > 0; bit -= 1) {
      const edge = 2 * node + ((code >>> bit) & 1);
      // No edge leads to the root, so 0 is one that has not been drawn yet.
      if (children[edge] === 0) children[edge] = nodes++;
      node = children[edge] ?? 0;
    }
    children[2 * node + (code & 1)] = ~symbol;
  }
  return children;
}

/** From single bits, three times doubled: 4 ms of each start, where a walk down the tree from each state took 12. */
function fillSteps(): Int32Array {
  let steps = bitSteps();
  for (let bits = 1; bits < 8; bits *= 2) steps = doubled(steps, bits);
  return steps;
}

function bitSteps(): Int32Array {
  return Int32Array.from(tree, (child) => {
    if (child >= 0) return child << 24;
    return ~child === EOS ? REFUSED : (1 << 16) | ~child;
  });
}

/** Steps of twice as many bits: the one, then the other from where it led. */
function doubled(half: Int32Array, bits: number): Int32Array {
  const whole = new Int32Array(half.length << bits).fill(REFUSED);
  const size = 1 << bits;
  for (let before = 0; before < half.length; before += 1) {
    const first = half[before] as number;
    if (first === REFUSED) continue;
    const row = (first >>> 24) << bits;
    const ended = first & 0xff0000;
    const shift = ended >>> 13;
    for (let then = 0; then < size; then += 1) {
      const second = half[row | then] as number;
      if (second === REFUSED) continue;
      const symbols = (first & 0xffff) | ((second & 0xffff) << shift);
      whole[(before << bits) | then] = ((second & 0xffff0000) + ended) | symbols;
    }
  }
  return whole;
}

function markEnds(): Uint8Array {
  const ends = new Uint8Array(STATES);
  let node = 0;
  for (let padding = 0; padding < 8; padding += 1) {
    ends[node] = 1;
    node = tree[2 * node + 1] ?? 0;
  }
  return ends;
}

/**
 * The Huffman code of HPACK (RFC 7541 appendix B), as numbers.
 *
 * The code is canonical: of equal length, codes count upwards in the order of the symbols, and each
 * length goes on where the shorter one ended. So the lengths are the whole table; codes follow.
 */

/** Octets 0 to 255, then EOS. */
export const EOS = 256;

/** Bits of the longest code: EOS and three octets. */
export const LONGEST_CODE = 30;

/** Bits of the code of each symbol, 16 octets a line. */
const LENGTHS = [
  [13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  [28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  [6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  [5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  [13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  [7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  [15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  [6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  [20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  [24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  [22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  [21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  [26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  [19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  [20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  [26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  [30],
].flat();

/** Bits of each symbol's code. */
export const CODE_BITS: Uint8Array = Uint8Array.from(LENGTHS);

/** Symbols from the shortest code to the longest, which is the order of the codes themselves. */
export const SYMBOLS: Uint16Array = Uint16Array.from(
  LENGTHS.map((_, symbol) => symbol).toSorted(
    (a, b) => (LENGTHS[a] ?? 0) - (LENGTHS[b] ?? 0) || a - b,
  ),
);

/** Each symbol's code, in the low `CODE_BITS` bits. */
export const CODES: Uint32Array = assignCodes();

function assignCodes(): Uint32Array {
  const codes = new Uint32Array(LENGTHS.length);
  let code = 0;
  let bits = 0;
  for (const symbol of SYMBOLS) {
    const length = LENGTHS[symbol] ?? 0;
    code <<= length - bits;
    bits = length;
    codes[symbol] = code;
    code += 1;
  }
  return codes;
}

/**
 * One column of a block of the index: whole numbers as bytes, as few for each as the largest takes.
 * Nearly all columns of nearly all blocks hold one number over and over, or small ones.
 */

/** Bytes before the numbers: the width of one; the rest keeps them where four-byte numbers may begin. */
const HEADER = 4;

/** `values` up to 2^32 - 1. Width 0: all of them are the one that follows. */
export function encodeColumn(values: Uint32Array): Uint8Array {
  const width = widthOf(values);
  if (width === 0) return bytesOf(0, values.subarray(0, 1));
  if (width === 1) return bytesOf(1, Uint8Array.from(values));
  return bytesOf(width, width === 2 ? Uint16Array.from(values) : values);
}

export type Column = Uint8Array | Uint16Array | Uint32Array | { readonly always: number };

/** What the bytes hold, of `count` numbers. Undefined where they are none of ours. */
export function decodeColumn(bytes: Uint8Array, count: number): Column | undefined {
  const width = bytes[0] ?? -1;
  if (bytes.length !== HEADER + (width === 0 ? 4 : width * count)) return undefined;
  // Numbers of two and four bytes begin where such may begin: SQLite's own bytes need not.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  if (width === 0) return { always: new Uint32Array(buffer, byteOffset + HEADER, 1)[0] ?? 0 };
  if (width === 1) return aligned.subarray(HEADER);
  if (width === 2) return new Uint16Array(buffer, byteOffset + HEADER, count);
  return width === 4 ? new Uint32Array(buffer, byteOffset + HEADER, count) : undefined;
}

/** The number at a place of the column. */
export function at(column: Column, index: number): number {
  return "always" in column ? column.always : (column[index] ?? 0);
}

function widthOf(values: Uint32Array): 0 | 1 | 2 | 4 {
  const first = values[0] ?? 0;
  let most = 0;
  let same = true;
  for (const value of values) {
    if (value > most) most = value;
    if (value !== first) same = false;
  }
  if (same) return 0;
  return most < 0x100 ? 1 : most < 0x1_0000 ? 2 : 4;
}

function bytesOf(width: number, values: Uint8Array | Uint16Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + values.byteLength);
  bytes[0] = width;
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), HEADER);
  return bytes;
}

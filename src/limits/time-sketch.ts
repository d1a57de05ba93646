/**
 * Times by key in memory of fixed size. A key has one cell in each of four rows, chosen by a secret
 * hash, and its time is the least of them: so it is never earlier than what was raised for it, and
 * later only where all four cells are shared with later ones. Nothing is ever evicted: sending many
 * keys cannot make it forget one, which any table that forgets could be made to do. The price: with
 * n late keys at once, an innocent one shares all four cells with them with a chance of about
 * (n / 65536)^4, one in 1800 for ten thousand.
 */
const LIMITS = {
  rows: 4,
  /** Cells in a row; 4 rows × 65536 × 8 bytes are 2 MiB. A power of two. */
  cells: 65_536,
} as const;

/** Gives so many bytes that nobody outside can know. */
export type Random = (bytes: number) => Uint8Array;

export class TimeSketch {
  /** The latest time of all. */
  latest = 0;
  readonly #seed = new Uint32Array(LIMITS.rows);
  readonly #times = new Float64Array(LIMITS.rows * LIMITS.cells);
  readonly #cells = new Uint32Array(LIMITS.rows);

  constructor(random: Random) {
    const seed = random(LIMITS.rows * 4);
    const view = new DataView(seed.buffer, seed.byteOffset, LIMITS.rows * 4);
    for (let row = 0; row < LIMITS.rows; row++) this.#seed[row] = view.getUint32(row * 4);
  }

  /** The time of the key; 0 where none was raised. */
  get(key: string): number {
    this.#locate(key);
    let least = Number.POSITIVE_INFINITY;
    for (const cell of this.#cells) least = Math.min(least, this.#times[cell] ?? 0);
    return least;
  }

  /**
   * Makes the time of the key at least this. Only cells before it move ("conservative update"):
   * those that a key shares with a later one are not pushed further by it.
   */
  raise(key: string, time: number): void {
    this.#locate(key);
    for (const cell of this.#cells) {
      if ((this.#times[cell] ?? 0) < time) this.#times[cell] = time;
    }
    if (time > this.latest) this.latest = time;
  }

  #locate(key: string): void {
    for (let row = 0; row < LIMITS.rows; row++) {
      const cell = mix(key, this.#seed[row] ?? 0) & (LIMITS.cells - 1);
      this.#cells[row] = row * LIMITS.cells + cell;
    }
  }
}

/** MurmurHash3's rounds over the characters; the seed keeps strangers from aiming at a cell. */
function mix(key: string, seed: number): number {
  let value = seed;
  for (let index = 0; index < key.length; index++) {
    value = Math.imul(value ^ Math.imul(key.charCodeAt(index), 0xcc9e2d51), 0x1b873593);
    value = ((value << 13) | (value >>> 19)) + 0xe6546b64;
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

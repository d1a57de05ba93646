/**
 * Rows of numbers by digest: a million in some 50 MB, found in a fraction of a microsecond.
 *
 * Open addressing with linear probing. It is cut into many small tables by bits of the digest, and
 * each grows by itself: a growth moves some thousand rows, never a million, so it needs no table
 * beside the one in use and nobody waits for it. Digests are hashes, so the parts are filled evenly.
 *
 * A row lies in one piece: a look-up reads one line of the processor's cache, seldom two.
 */

/** One row: the digest's four words, and what stands there about it. Times are seconds since the epoch. */
export const ROW = {
  digest: 0,
  /** 0: not revoked. */
  cutoff: 4,
  /** 0: not blocked; `FOREVER`: until lifted. */
  blockedUntil: 5,
  /** Never 0: that marks a slot without a row. */
  expires: 6,
  /** Which snapshot it came with. */
  generation: 7,
  length: 8,
} as const;

/** The largest number of a row: as a time it does not come (the year 2106). */
export const FOREVER = 0xffff_ffff;

const LIMITS = {
  /**
   * Parts: with 4 million rows some 4 000 in each, which are moved in a third of a millisecond when
   * it grows; without rows a part costs 8 bytes.
   */
  parts: 1024,
  /** Slots of the smallest part: two cache lines. */
  least: 4,
  /** Filled more than this, linear probing looks at too many rows: 3 on average for what is there. */
  load: 0.8,
  /** Each growth takes half of what there is: of a table that just grew a third and a bit is empty. */
  growth: 1.5,
  /** A part that is filled less than this is made smaller when it is swept. */
  idle: 0.3,
} as const;

const RANGE = 2 ** 32;

interface Part {
  slots: Uint32Array;
  /** Slots. */
  capacity: number;
  /** Rows. */
  count: number;
}

export class RevocationTable {
  readonly #parts: (Part | undefined)[] = Array.from({ length: LIMITS.parts });
  #size = 0;

  /** Rows. */
  get size(): number {
    return this.#size;
  }

  /** How many parts there are to sweep. */
  get parts(): number {
    return LIMITS.parts;
  }

  /** Fills the row by its digest. False where there is none. */
  read(row: Uint32Array): boolean {
    const part = this.#parts[partOf(row)];
    if (part === undefined) return false;
    const at = find(part, row);
    if (at < 0) return false;
    const { slots } = part;
    for (let index = ROW.cutoff; index < ROW.length; index++) row[index] = slots[at + index] ?? 0;
    return true;
  }

  /** Puts the row in the place of the one of its digest, or adds it. */
  write(row: Uint32Array): void {
    if (row[ROW.expires] === 0) throw new TypeError("a row of a revocation has a time of expiry");
    const part = (this.#parts[partOf(row)] ??= emptyPart(LIMITS.least));
    const at = find(part, row);
    if (at >= 0) {
      copyRow(row, 0, { slots: part.slots, at });
      return;
    }
    if (part.count + 1 > part.capacity * LIMITS.load) {
      resize(part, Math.ceil(part.capacity * LIMITS.growth));
    }
    insert(part, row, 0);
    part.count += 1;
    this.#size += 1;
  }

  /** Whether there is a row of this digest. */
  has(row: Uint32Array): boolean {
    const part = this.#parts[partOf(row)];
    return part !== undefined && find(part, row) >= 0;
  }

  /** Removes the row of this digest. False where there is none. */
  remove(row: Uint32Array): boolean {
    const index = partOf(row);
    const part = this.#parts[index];
    if (part === undefined) return false;
    const at = find(part, row);
    if (at < 0) return false;
    this.#removeAt(part, at);
    if (part.count === 0) this.#parts[index] = undefined;
    return true;
  }

  clear(): void {
    this.#parts.fill(undefined);
    this.#size = 0;
  }

  /** All rows as they are now. One move of memory: 50 ms for a million. */
  copy(): TableCopy {
    const pieces = this.#parts
      .filter((part) => part !== undefined)
      .map(({ slots }) => slots.slice());
    return { size: this.#size, pieces };
  }

  /** Removes from one part what has expired, and what came with a generation before `generation`. */
  sweep(index: number, { nowSeconds, generation }: SweepTerms): void {
    const part = this.#parts[index];
    if (part === undefined) return;
    for (let at = 0; at < part.capacity * ROW.length;) {
      const { slots } = part;
      const expires = slots[at + ROW.expires] ?? 0;
      const dead =
        expires !== 0 && (expires <= nowSeconds || (slots[at + ROW.generation] ?? 0) < generation);
      // What moves up into the slot is looked at next.
      if (dead) this.#removeAt(part, at);
      else at += ROW.length;
    }
    if (part.count === 0) this.#parts[index] = undefined;
    else if (part.capacity > LIMITS.least && part.count < part.capacity * LIMITS.idle) {
      resize(part, Math.max(LIMITS.least, Math.ceil((part.count + 1) / LIMITS.load)));
    }
  }

  #removeAt(part: Part, at: number): void {
    closeGap(part, at);
    part.count -= 1;
    this.#size -= 1;
  }
}

/** What a table held at one moment. */
export interface TableCopy {
  /** Rows. */
  readonly size: number;
  /** Slots of `ROW.length` numbers each; one whose `expires` is 0 holds no row. */
  readonly pieces: readonly Uint32Array[];
}

export interface SweepTerms {
  readonly nowSeconds: number;
  readonly generation: number;
}

function emptyPart(capacity: number): Part {
  return { slots: new Uint32Array(capacity * ROW.length), capacity, count: 0 };
}

/** By other bits than those that say where in the part. */
function partOf(row: Uint32Array): number {
  return (row[3] ?? 0) % LIMITS.parts;
}

/** Where a row of this first word begins, if nothing is in its way: the words spread over all slots. */
function homeOf(word: number, capacity: number): number {
  return Math.floor((word / RANGE) * capacity) * ROW.length;
}

/** The offset of the digest's row, or -1. A part is never full, so there is an end. */
function find({ slots, capacity }: Part, row: Uint32Array): number {
  const first = row[0] ?? 0;
  const end = capacity * ROW.length;
  let at = homeOf(first, capacity);
  while (slots[at + ROW.expires] !== 0) {
    if (
      slots[at] === first &&
      slots[at + 1] === row[1] &&
      slots[at + 2] === row[2] &&
      slots[at + 3] === row[3]
    ) {
      return at;
    }
    at += ROW.length;
    if (at === end) at = 0;
  }
  return -1;
}

/** Puts a row that is not there into the first free slot from its home on. */
function insert({ slots, capacity }: Part, from: Uint32Array, offset: number): void {
  const end = capacity * ROW.length;
  let at = homeOf(from[offset] ?? 0, capacity);
  while (slots[at + ROW.expires] !== 0) {
    at += ROW.length;
    if (at === end) at = 0;
  }
  copyRow(from, offset, { slots, at });
}

/** By hand: a view of eight numbers costs more than copying them. */
function copyRow(
  from: Uint32Array,
  offset: number,
  { slots, at }: { readonly slots: Uint32Array; readonly at: number },
): void {
  for (let index = 0; index < ROW.length; index++) slots[at + index] = from[offset + index] ?? 0;
}

function resize(part: Part, capacity: number): void {
  const { slots } = part;
  part.capacity = capacity;
  part.slots = new Uint32Array(capacity * ROW.length);
  for (let at = 0; at < slots.length; at += ROW.length) {
    if (slots[at + ROW.expires] !== 0) insert(part, slots, at);
  }
}

/**
 * Empties a slot and moves up what was pushed beyond it (Knuth, The Art of Computer Programming,
 * volume 3, section 6.4, algorithm R): no marks of what was removed are left to probe past.
 */
function closeGap({ slots, capacity }: Part, removed: number): void {
  const end = capacity * ROW.length;
  let gap = removed;
  let at = removed;
  for (;;) {
    at += ROW.length;
    if (at === end) at = 0;
    if (slots[at + ROW.expires] === 0) break;
    const home = homeOf(slots[at] ?? 0, capacity);
    // It stays where its home lies (cyclically) after the gap: a probe for it would not pass there.
    const stays = gap <= at ? gap < home && home <= at : gap < home || home <= at;
    if (stays) continue;
    slots.copyWithin(gap, at, at + ROW.length);
    gap = at;
  }
  slots.fill(0, gap, gap + ROW.length);
}

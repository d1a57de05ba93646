/**
 * What the last byte sequences of a connection meant: whole blocks, and long texts.
 *
 * Peers repeat themselves. What came twice in a row is copied, and from the third time on only compared:
 * a request block of 12 fields with a token of 600 characters takes 0.1 instead of 2.7 us on Bun.
 * Equal bytes are needed, not equal hashes, so nobody can make us take one thing for another.
 */

/** Places; which one is used depends on the length alone, so that looking it up costs nothing. */
const SLOTS = 4;

export interface MemoLimits {
  /** Shorter ones are read as fast as compared. */
  readonly minBytes: number;
  /** Longer ones are not kept: `SLOTS` of them is what an idle connection keeps alive. */
  readonly maxBytes: number;
}

interface Slot<T> {
  /** What the bytes looked like that came last and were not kept. */
  last: number;
  /** What those look like that are kept. */
  glance: number;
  /** Longer than `length` where it held something longer before. */
  bytes: Buffer;
  /** 0: empty. */
  length: number;
  meaning: T;
}

export class HpackMemo<T> {
  readonly #slots: Slot<T>[];
  readonly #limits: MemoLimits;

  /** `nothing` stands for what is not there. */
  constructor(limits: MemoLimits, nothing: T) {
    this.#limits = limits;
    this.#slots = Array.from({ length: SLOTS }, () => ({
      last: 0,
      glance: 0,
      bytes: NO_BYTES,
      length: 0,
      meaning: nothing,
    }));
  }

  /** What these bytes meant when they were kept; undefined: they were not. */
  recall(buffer: Buffer, start: number, end: number): T | undefined {
    const length = end - start;
    const slot = this.#slots[length & (SLOTS - 1)] as Slot<T>;
    if (slot.length !== length || length === 0) return undefined;
    // Blocks with an id of their own have one length; comparing each in vain cost 0.1 of 1.2 us on Node.
    if (slot.glance !== glanceAt(buffer, start, end)) return undefined;
    const same = buffer.compare(slot.bytes, 0, length, start, end) === 0;
    return same ? slot.meaning : undefined;
  }

  /** To be told of all that `recall` did not know: what comes a second time is kept. */
  notice(place: { readonly buffer: Buffer; start: number; end: number }, meaning: T): void {
    const { buffer, start, end } = place;
    const length = end - start;
    if (length < this.#limits.minBytes || length > this.#limits.maxBytes) return;
    const slot = this.#slots[length & (SLOTS - 1)] as Slot<T>;
    // Copying what never comes again (a path, an id) would cost more than the memo brings.
    const glance = glanceAt(buffer, start, end);
    if (slot.last !== glance) {
      slot.last = glance;
      return;
    }
    slot.glance = glance;
    if (slot.bytes.length < length) slot.bytes = Buffer.allocUnsafeSlow(length);
    buffer.copy(slot.bytes, 0, start, end);
    slot.length = length;
    slot.meaning = meaning;
  }

  /** Everything may mean something else from now on. */
  forget(nothing: T): void {
    for (const slot of this.#slots) {
      slot.length = 0;
      slot.meaning = nothing;
    }
  }
}

const NO_BYTES = Buffer.alloc(0);

/** Tells byte sequences apart well enough to guess whether one came before; never proves it. */
function glanceAt(buffer: Buffer, start: number, end: number): number {
  let glance = end - start;
  const step = ((end - start) >> 3) | 1;
  for (let at = end - 1; at >= start; at -= step) {
    glance = (Math.imul(glance, 31) + (buffer[at] as number)) | 0;
  }
  return glance;
}

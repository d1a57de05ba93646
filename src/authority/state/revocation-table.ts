/**
 * All revocations that the authority knows, as packed records in hash tables without pointers: a
 * million take some 50 MB, where objects in a Map take 300. Lookups on the request path are not its
 * business (`keys/` has the list for that); it takes changes and is copied out whole for snapshots.
 *
 * Cut into parts, of which each grows and is swept by itself: in one process that serves as well, a
 * table of a million in one piece held requests up for 400 ms when it grew, and 150 when it was swept.
 */
import type { RevocationEntry } from "../../model/revocation.ts";
import {
  DIGEST_BYTES,
  expiryOf,
  readRecord,
  RECORD_BYTES,
  writeDigest,
  writeRecord,
} from "./revocation-pack.ts";

const LIMITS = {
  /** With a million revocations 4 000 in each, which are moved in some milliseconds. */
  parts: 256,
  /** Slots of a part at least; always a power of two, so that a mask finds the place. */
  minSlots: 16,
  /** Share of slots in use from which on a part grows: linear probing gets long beyond it. */
  fill: 0.75,
} as const;

/** Digests are of SHA-256, so some bytes of them are hash enough: the last one for the part. */
export class RevocationTable {
  #parts: (Part | undefined)[] = Array.from({ length: LIMITS.parts });
  #size = 0;
  #swept = 0;
  readonly #key = Buffer.alloc(DIGEST_BYTES);

  get size(): number {
    return this.#size;
  }

  /** How many parts there are to sweep. */
  get parts(): number {
    return LIMITS.parts;
  }

  set(entry: RevocationEntry): void {
    writeDigest(entry.digest, this.#key, 0);
    const part = (this.#parts[partOf(this.#key)] ??= new Part());
    const before = part.size;
    part.set(this.#key, entry);
    this.#size += part.size - before;
  }

  get(digest: string): RevocationEntry | undefined {
    writeDigest(digest, this.#key, 0);
    return this.#parts[partOf(this.#key)]?.get(this.#key);
  }

  delete(digest: string): boolean {
    writeDigest(digest, this.#key, 0);
    const deleted = this.#parts[partOf(this.#key)]?.delete(this.#key) === true;
    if (deleted) this.#size -= 1;
    return deleted;
  }

  clear(): void {
    this.#parts.fill(undefined);
    this.#size = 0;
  }

  /**
   * All records as they are now, in pieces of at most so many, packed when they are asked for. The copy
   * is one move of memory (a million records: 50 ms); to pack them all in one turn takes 300 ms.
   */
  pieces(records: number): RevocationPieces {
    const copies = this.#parts.filter((part) => part !== undefined).map((part) => part.copy());
    const size = this.#size;
    return {
      size,
      count: Math.max(1, Math.ceil(size / records)),
      packed: packing(copies, records),
    };
  }

  /** Drops what has expired from the next so many parts, in turn. Returns how many records went. */
  sweep(nowMs: number, parts: number): number {
    const before = this.#size;
    for (let count = 0; count < parts; count++) {
      this.#size -= this.#parts[this.#swept]?.sweep(nowMs) ?? 0;
      if (this.#parts[this.#swept]?.size === 0) this.#parts[this.#swept] = undefined;
      this.#swept = (this.#swept + 1) % LIMITS.parts;
    }
    return before - this.#size;
  }
}

/** What a table held at one moment. */
export interface RevocationPieces {
  /** How many records. What has expired is among them until it is swept. */
  readonly size: number;
  /** How many pieces, at least one. */
  readonly count: number;
  /** Each piece once. */
  readonly packed: IterableIterator<Buffer>;
}

interface PartCopy {
  readonly records: Buffer;
  readonly used: Uint8Array;
}

function* packing(copies: readonly PartCopy[], each: number): Generator<Buffer> {
  let piece = Buffer.allocUnsafe(each * RECORD_BYTES);
  let at = 0;
  let made = 0;
  for (const { records, used } of copies) {
    for (let slot = 0; slot < used.length; slot++) {
      if (used[slot] !== 1) continue;
      at += records.copy(piece, at, slot * RECORD_BYTES, (slot + 1) * RECORD_BYTES);
      if (at < piece.length) continue;
      yield piece;
      made += 1;
      piece = Buffer.allocUnsafe(each * RECORD_BYTES);
      at = 0;
    }
  }
  if (at > 0 || made === 0) yield piece.subarray(0, at);
}

function partOf(digest: Buffer): number {
  return digest.readUInt8(DIGEST_BYTES - 1) % LIMITS.parts;
}

class Part {
  size = 0;
  #slots: number = LIMITS.minSlots;
  #records = Buffer.alloc(LIMITS.minSlots * RECORD_BYTES);
  #used = new Uint8Array(LIMITS.minSlots);

  set(digest: Buffer, entry: RevocationEntry): void {
    if (this.size + 1 > this.#slots * LIMITS.fill) this.#resize(this.#slots * 2);
    const slot = this.#find(digest);
    writeRecord(entry, this.#records, slot * RECORD_BYTES);
    if (this.#used[slot] === 1) return;
    this.#used[slot] = 1;
    this.size += 1;
  }

  get(digest: Buffer): RevocationEntry | undefined {
    const slot = this.#find(digest);
    return this.#used[slot] === 1 ? readRecord(this.#records, slot * RECORD_BYTES) : undefined;
  }

  delete(digest: Buffer): boolean {
    const slot = this.#find(digest);
    if (this.#used[slot] !== 1) return false;
    this.#remove(slot);
    return true;
  }

  copy(): PartCopy {
    return { records: Buffer.from(this.#records), used: this.#used.slice() };
  }

  /** Drops what has expired. Returns how many went. */
  sweep(nowMs: number): number {
    const before = this.size;
    for (let slot = 0; slot < this.#slots; slot++) {
      // Another record may have moved into the place of one that went.
      while (this.#used[slot] === 1 && this.#expired(slot, nowMs)) this.#remove(slot);
    }
    return before - this.size;
  }

  #expired(slot: number, nowMs: number): boolean {
    const expires = expiryOf(this.#records, slot * RECORD_BYTES);
    return expires !== undefined && expires <= nowMs;
  }

  /** The slot of the record with this digest, or the free one where it belongs. */
  #find(digest: Buffer): number {
    const mask = this.#slots - 1;
    let slot = digest.readUInt32BE(0) & mask;
    while (this.#used[slot] === 1) {
      const at = slot * RECORD_BYTES;
      if (this.#records.compare(digest, 0, DIGEST_BYTES, at, at + DIGEST_BYTES) === 0) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  /** Closes the gap (Knuth 6.4, algorithm R): records behind it that it would cut off move up. */
  #remove(gap: number): void {
    const mask = this.#slots - 1;
    this.size -= 1;
    let hole = gap;
    for (let slot = (hole + 1) & mask; this.#used[slot] === 1; slot = (slot + 1) & mask) {
      const home = this.#records.readUInt32BE(slot * RECORD_BYTES) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      this.#records.copyWithin(hole * RECORD_BYTES, slot * RECORD_BYTES, (slot + 1) * RECORD_BYTES);
      hole = slot;
    }
    this.#used[hole] = 0;
  }

  #resize(slots: number): void {
    const [records, used, count] = [this.#records, this.#used, this.#slots];
    this.#slots = slots;
    this.#records = Buffer.alloc(slots * RECORD_BYTES);
    this.#used = new Uint8Array(slots);
    for (let from = 0; from < count; from++) {
      if (used[from] !== 1) continue;
      const at = from * RECORD_BYTES;
      const slot = this.#find(records.subarray(at, at + DIGEST_BYTES));
      records.copy(this.#records, slot * RECORD_BYTES, at, at + RECORD_BYTES);
      this.#used[slot] = 1;
    }
  }
}

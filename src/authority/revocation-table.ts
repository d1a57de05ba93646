/**
 * All revocations that the authority knows, as packed records in one hash table without pointers: a
 * million take some 50 MB, where objects in a Map take 300. Lookups on the request path are not its
 * business (`keys/` has the list for that); it takes changes and is copied out whole for snapshots.
 */
import type { RevocationEntry } from "../model/revocation.ts";
import {
  DIGEST_BYTES,
  expiryOf,
  readRecord,
  RECORD_BYTES,
  writeDigest,
  writeRecord,
} from "./revocation-pack.ts";

const LIMITS = {
  /** Slots at least; always a power of two, so that a mask finds the place. */
  minSlots: 1024,
  /** Share of slots in use from which on the table grows: linear probing gets long beyond it. */
  fill: 0.75,
} as const;

/** Digests are of SHA-256, so their first bytes are hash enough. */
export class RevocationTable {
  size = 0;
  #slots: number = LIMITS.minSlots;
  #records = Buffer.alloc(LIMITS.minSlots * RECORD_BYTES);
  #used = new Uint8Array(LIMITS.minSlots);
  readonly #key = Buffer.alloc(DIGEST_BYTES);

  set(entry: RevocationEntry): void {
    if (this.size + 1 > this.#slots * LIMITS.fill) this.#resize(this.#slots * 2);
    writeDigest(entry.digest, this.#key, 0);
    const slot = this.#find(this.#key);
    writeRecord(entry, this.#records, slot * RECORD_BYTES);
    if (this.#used[slot] === 1) return;
    this.#used[slot] = 1;
    this.size += 1;
  }

  get(digest: string): RevocationEntry | undefined {
    writeDigest(digest, this.#key, 0);
    const slot = this.#find(this.#key);
    return this.#used[slot] === 1 ? readRecord(this.#records, slot * RECORD_BYTES) : undefined;
  }

  delete(digest: string): boolean {
    writeDigest(digest, this.#key, 0);
    const slot = this.#find(this.#key);
    if (this.#used[slot] !== 1) return false;
    this.#remove(slot);
    return true;
  }

  clear(): void {
    this.size = 0;
    this.#slots = LIMITS.minSlots;
    this.#records = Buffer.alloc(LIMITS.minSlots * RECORD_BYTES);
    this.#used = new Uint8Array(LIMITS.minSlots);
  }

  /** A copy of all records that have not expired, one after the other. */
  packed(nowMs: number): Buffer {
    const packed = Buffer.allocUnsafeSlow(this.size * RECORD_BYTES);
    let at = 0;
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.#used[slot] !== 1 || this.#expired(slot, nowMs)) continue;
      at += this.#records.copy(packed, at, slot * RECORD_BYTES, (slot + 1) * RECORD_BYTES);
    }
    return packed.subarray(0, at);
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

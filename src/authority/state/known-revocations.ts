/**
 * All revocations that are to be told to others, held as the list on the request path holds them (a
 * million take some 50 MB, where objects in a Map take 300) and copied out whole for snapshots.
 */
import { readDigest } from "../../keys/revocation-digest.ts";
import { timesOf, writeRow } from "../../keys/revocation-row.ts";
import { ROW, RevocationTable } from "../../keys/revocation-table.ts";
import type { RevocationEntry } from "../../model/revocation.ts";
import { DIGEST_BYTES, RECORD_BYTES, writeTimes } from "./revocation-pack.ts";

/** Snapshots are told apart by their numbers; rows of the table need no generations. */
const GENERATION = 1;

export class KnownRevocations {
  readonly #table = new RevocationTable();
  readonly #row = new Uint32Array(ROW.length);
  #swept = 0;

  get size(): number {
    return this.#table.size;
  }

  /** How many parts there are to sweep. */
  get parts(): number {
    return this.#table.parts;
  }

  /** Throws TypeError for a digest that cannot be read. */
  set(entry: RevocationEntry): void {
    if (!writeRow(entry, this.#row)) throw unreadable();
    this.#row[ROW.generation] = GENERATION;
    this.#table.write(this.#row);
  }

  /** False where there is none. Throws TypeError for a digest that cannot be read. */
  delete(digest: string): boolean {
    if (!readDigest(digest, this.#row, ROW.digest)) throw unreadable();
    return this.#table.remove(this.#row);
  }

  clear(): void {
    this.#table.clear();
  }

  /**
   * All of them as they are now, in pieces of at most so many records, packed when they are asked for:
   * to pack a million in one turn takes 300 ms.
   */
  pieces(records: number): RevocationPieces {
    const { size, pieces } = this.#table.copy();
    const count = Math.max(1, Math.ceil(size / records));
    return { size, count, packed: packing(pieces, records) };
  }

  /** Drops what has expired from the next so many parts, in turn. Returns how many went. */
  sweep(nowMs: number, parts: number): number {
    const before = this.size;
    for (let count = 0; count < parts; count++) {
      this.#table.sweep(this.#swept, { nowSeconds: nowMs / 1000, generation: GENERATION });
      this.#swept = (this.#swept + 1) % this.#table.parts;
    }
    return before - this.size;
  }
}

/** What was known at one moment. */
export interface RevocationPieces {
  /** How many records. What has expired is among them until it is swept. */
  readonly size: number;
  /** How many pieces, at least one. */
  readonly count: number;
  /** Each piece once. */
  readonly packed: IterableIterator<Buffer>;
}

function* packing(pieces: readonly Uint32Array[], each: number): Generator<Buffer> {
  let packed = Buffer.allocUnsafe(each * RECORD_BYTES);
  let at = 0;
  let made = 0;
  for (const slots of pieces) {
    for (let slot = 0; slot < slots.length; slot += ROW.length) {
      if (slots[slot + ROW.expires] === 0) continue;
      at = writePacked(slots, slot, packed, at);
      if (at < packed.length) continue;
      yield packed;
      made += 1;
      packed = Buffer.allocUnsafe(each * RECORD_BYTES);
      at = 0;
    }
  }
  if (at > 0 || made === 0) yield packed.subarray(0, at);
}

/** One record; returns where the next one begins. */
function writePacked(slots: Uint32Array, slot: number, into: Buffer, at: number): number {
  for (let word = 0; word < ROW.cutoff; word++) {
    into.writeUInt32BE(slots[slot + ROW.digest + word] ?? 0, at + 4 * word);
  }
  writeTimes(timesOf(slots, slot), into, at + DIGEST_BYTES);
  return at + RECORD_BYTES;
}

function unreadable(): TypeError {
  return new TypeError("not the digest of a revocation target");
}

/**
 * The dynamic table of HPACK (RFC 7541 sections 2.3.2 and 4): the fields that were sent last, first
 * in first out, bounded in bytes. Both ends of a connection have one for each direction, and they stay
 * in step because both evict by the same rule.
 */
import { FIELD_OVERHEAD } from "./hpack-limits.ts";

/** Room at first; it doubles as entries come, so that a connection that indexes little holds little. */
const FIRST_SLOTS = 16;

export class HpackTable {
  /** A ring: entry number n lies at `n & (slots - 1)`. */
  #names: string[] = Array.from({ length: FIRST_SLOTS }, () => "");
  #values: string[] = Array.from({ length: FIRST_SLOTS }, () => "");
  /** Entries that were ever inserted: the number of the newest. */
  #inserted = 0;
  #entries = 0;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Entries that it holds. */
  get entries(): number {
    return this.#entries;
  }

  /** The number of the newest entry: they count up from 1 and never repeat. */
  get newest(): number {
    return this.#inserted;
  }

  /** Bytes that it holds (RFC 7541 section 4.1). */
  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** The name of an entry; 0 is the newest, `entries - 1` the oldest. */
  name(age: number): string {
    return this.#names[(this.#inserted - age) & (this.#names.length - 1)] as string;
  }

  /** The value of an entry, counted as for `name`. */
  value(age: number): string {
    return this.#values[(this.#inserted - age) & (this.#values.length - 1)] as string;
  }

  /** RFC 7541 section 4.4: evicts until the field fits; one that never can empties the table. */
  insert(name: string, value: string): void {
    const bytes = name.length + value.length + FIELD_OVERHEAD;
    this.makeRoom(bytes);
    if (bytes > this.#maxBytes) return;
    if (this.#entries === this.#names.length) this.#grow();
    this.#inserted += 1;
    this.#entries += 1;
    this.#bytes += bytes;
    const slot = this.#inserted & (this.#names.length - 1);
    this.#names[slot] = name;
    this.#values[slot] = value;
  }

  /** Evicts the oldest until so many bytes are free, or none is left. */
  makeRoom(bytes: number): void {
    while (this.#entries > 0 && this.#bytes + bytes > this.#maxBytes) {
      const slot = (this.#inserted - this.#entries + 1) & (this.#names.length - 1);
      const name = this.#names[slot] as string;
      const value = this.#values[slot] as string;
      this.#bytes -= name.length + value.length + FIELD_OVERHEAD;
      this.#entries -= 1;
      this.#names[slot] = "";
      this.#values[slot] = "";
    }
  }

  /** RFC 7541 section 4.3: the new size is in force at once. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.makeRoom(0);
  }

  #grow(): void {
    const slots = 2 * this.#names.length;
    const names = Array.from({ length: slots }, () => "");
    const values = Array.from({ length: slots }, () => "");
    for (let age = 0; age < this.#entries; age += 1) {
      const slot = (this.#inserted - age) & (slots - 1);
      names[slot] = this.name(age);
      values[slot] = this.value(age);
    }
    this.#names = names;
    this.#values = values;
  }
}

/**
 * What an encoder knows about each name that it has written: where its fields lie in the tables, and
 * which values came lately.
 *
 * A value enters the table when it comes a second time, and a name that no table has does too. So
 * what every request has of its own (ids, traces, paths with numbers) never pushes out what repeats.
 */
import type { HpackTable } from "./hpack-table.ts";
import { isSecretName } from "./hpack-secrets.ts";
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

const LIMITS = {
  /** Entries of a name that are looked at; older ones are only there to be evicted. */
  entries: 8,
  /** Values that came lately and are not in a table: two alternating ones are still seen to repeat. */
  lately: 2,
} as const;

export class HpackName {
  readonly name: string;
  /** Its fields are never indexed. */
  readonly secret: boolean;
  /** The name as text of a block, once it was written so. */
  coded: Buffer | undefined;
  /** Index of its first field in the static table; 0 where it has none. */
  readonly #staticIndex: number;
  /** Fields in the static table that have a value: how many, from `#staticIndex` on. */
  readonly #staticValues: number;
  /** Values and numbers of its newest entries in the dynamic table, the newest last. */
  readonly #values: string[] = [];
  readonly #numbers: number[] = [];
  readonly #lately: string[] = [];
  #next = 0;
  /** Whether it was written before. */
  #known = false;

  constructor(name: string) {
    this.name = name;
    this.secret = isSecretName(name);
    this.#staticIndex = Math.max(0, STATIC_NAMES.indexOf(name, 1));
    this.#staticValues = countValues(this.#staticIndex, name);
  }

  /** Index of the field with this value, or 0. */
  fieldIndex(table: HpackTable, value: string): number {
    for (
      let index = this.#staticIndex;
      index < this.#staticIndex + this.#staticValues;
      index += 1
    ) {
      if (STATIC_VALUES[index] === value) return index;
    }
    for (let at = this.#values.length - 1; at >= 0; at -= 1) {
      const age = table.newest - (this.#numbers[at] as number);
      if (age >= table.entries) return 0;
      if (this.#values[at] === value) return STATIC_ENTRIES + 1 + age;
    }
    return 0;
  }

  /** Index of any field with this name, or 0. */
  nameIndex(table: HpackTable): number {
    if (this.#staticIndex > 0 || this.#numbers.length === 0) return this.#staticIndex;
    const age = table.newest - (this.#numbers[this.#numbers.length - 1] as number);
    return age < table.entries ? STATIC_ENTRIES + 1 + age : 0;
  }

  /** Whether a field that is in no table is worth a place there. */
  repeats(value: string, nameIndex: number): boolean {
    const repeats = (nameIndex === 0 && this.#known) || this.#lately.includes(value);
    this.#known = true;
    if (!repeats) {
      this.#lately[this.#next] = value;
      this.#next = (this.#next + 1) % LIMITS.lately;
    }
    return repeats;
  }

  /** The field was inserted as the newest entry. */
  inserted(table: HpackTable, value: string): void {
    if (this.#values.length === LIMITS.entries) {
      this.#values.shift();
      this.#numbers.shift();
    }
    this.#values.push(value);
    this.#numbers.push(table.newest);
  }
}

function countValues(first: number, name: string): number {
  let count = 0;
  if (first === 0) return count;
  while (STATIC_NAMES[first + count] === name && STATIC_VALUES[first + count] !== "") count += 1;
  return count;
}

/**
 * Reads header blocks (RFC 7541), one connection's in the order in which they came.
 *
 * A block gives its fields, or it breaks the coding ("compression": the tables are out of step, so the
 * connection has to end), or it is more than the limits allow ("too-large": it was read to its end, so
 * the connection may go on). Refused as compression faults, beside what hpack-reader.ts refuses: index
 * 0 and beyond the tables, a change of the table's size that is not at the block's start, the third
 * one, and one to more than we announced.
 *
 * Time grows with the block's bytes and not with what they expand to: a block of thousands of
 * references to one large entry (a header bomb) is walked through, and what is past the limits is never
 * put into a list. Names and values are not judged here (request-fields.ts). What came never indexed is
 * marked so (never-indexed.ts).
 */
import type { Fields } from "../../model/http.ts";
import { markNeverIndexed } from "../never-indexed.ts";
import { hpackFault, type HpackFault } from "./hpack-fault.ts";
import { FIELD_OVERHEAD, INITIAL_TABLE_BYTES } from "./hpack-limits.ts";
import { HpackMemo } from "./hpack-memo.ts";
import { HpackReader } from "./hpack-reader.ts";
import { isSecretName } from "./hpack-secrets.ts";
import { HpackTable } from "./hpack-table.ts";
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

export { type HpackFault, isHpackFault } from "./hpack-fault.ts";

export interface HpackLimits {
  /** SETTINGS_HEADER_TABLE_SIZE that we announced; at least the 4096 that are in force without. */
  readonly maxTableBytes: number;
  /** Names and values of a block, and 32 for each field (RFC 9113 section 6.5.2). */
  readonly maxListBytes: number;
  /** Fields of a block, pseudo-fields among them. */
  readonly maxFields: number;
}

/** Changes of the table's size in a block: the smallest in between and the last (section 4.2). */
const MAX_SIZE_UPDATES = 2;

/** Whole blocks that are remembered: a usual one has 50 to 1000 octets. */
const BLOCK_MEMO = { minBytes: 8, maxBytes: 2048 };

const INDEX_0 = hpackFault("compression", "index 0");
const BEYOND = hpackFault("compression", "an index beyond the tables");
const LATE_UPDATE = hpackFault("compression", "a change of the table's size after a field");
const MANY_UPDATES = hpackFault("compression", "more than two changes of the table's size");
const LARGE_UPDATE = hpackFault("compression", "a table larger than was announced");
const AFTER_FAULT = hpackFault("compression", "a block after one that broke the compression");
const LARGE_LIST = hpackFault("too-large", "more bytes of fields in a block than the limit");
const MANY_FIELDS = hpackFault("too-large", "more fields in a block than the limit");

const NO_FIELDS: Fields = Object.freeze([]);

export class HpackDecoder {
  readonly #limits: HpackLimits;
  readonly #table = new HpackTable(INITIAL_TABLE_BYTES);
  readonly #reader = new HpackReader();
  readonly #blocks = new HpackMemo<Fields>(BLOCK_MEMO, NO_FIELDS);
  #broken = false;

  // Of the block that is being read.
  #fields: string[] = [];
  #bytes = 0;
  #excess: HpackFault | undefined;
  #neverIndexed: string[] | undefined;
  #tableChanged = false;

  constructor(limits: HpackLimits) {
    // RFC 7541 section 4.2 would have the peer's acknowledgement waited for, and nobody gains by it.
    if (limits.maxTableBytes < INITIAL_TABLE_BYTES) {
      throw new TypeError(`a table of less than ${INITIAL_TABLE_BYTES} bytes`);
    }
    this.#limits = limits;
  }

  /** The block's fields; the list may be one that was given before, so nobody changes it. */
  decode(block: Buffer): Fields | HpackFault {
    if (this.#broken) return AFTER_FAULT;
    const known = this.#blocks.recall(block, 0, block.length);
    if (known !== undefined) return known;
    this.#fields = [];
    this.#bytes = 0;
    this.#excess = undefined;
    this.#neverIndexed = undefined;
    this.#tableChanged = false;
    this.#read(block);
    const fault = this.#reader.fault;
    this.#broken = fault !== undefined;
    if (this.#tableChanged) this.#blocks.forget(NO_FIELDS);
    return fault ?? this.#excess ?? this.#taken(block);
  }

  #read(block: Buffer): void {
    const reader = this.#reader;
    reader.begin(block);
    this.#readSizeUpdates();
    for (let first = reader.peek(); first >= 0; first = reader.peek()) this.#readField(first);
    reader.end();
  }

  #taken(block: Buffer): Fields {
    const fields = this.#fields;
    if (this.#neverIndexed !== undefined) markNeverIndexed(fields, this.#neverIndexed);
    if (!this.#tableChanged) {
      this.#blocks.notice({ buffer: block, start: 0, end: block.length }, fields);
    }
    return fields;
  }

  /** RFC 7541 section 4.2: at the beginning of a block, and two at most. */
  #readSizeUpdates(): void {
    const reader = this.#reader;
    for (let updates = 0; reader.peek() >> 5 === 1; updates += 1) {
      const bytes = reader.integer(0x1f);
      if (bytes < 0) return;
      if (updates === MAX_SIZE_UPDATES) return reader.refuse(MANY_UPDATES);
      if (bytes > this.#limits.maxTableBytes) return reader.refuse(LARGE_UPDATE);
      this.#table.resize(bytes);
      this.#tableChanged = true;
    }
  }

  /** One representation (RFC 7541 section 6); its first bits say which. */
  #readField(first: number): void {
    if (first >= 0x80) this.#readIndexed();
    else if (first >= 0x40) this.#readLiteral(0x3f, "index");
    else if (first >= 0x20) this.#reader.refuse(LATE_UPDATE);
    else this.#readLiteral(0x0f, first >= 0x10 ? "never" : "not");
  }

  #readIndexed(): void {
    const index = this.#reader.integer(0x7f);
    if (index < 0) return;
    if (index === 0) return this.#reader.refuse(INDEX_0);
    if (index <= STATIC_ENTRIES) {
      this.#add(STATIC_NAMES[index] as string, STATIC_VALUES[index] as string);
      return;
    }
    const age = index - STATIC_ENTRIES - 1;
    if (age >= this.#table.entries) return this.#reader.refuse(BEYOND);
    this.#add(this.#table.name(age), this.#table.value(age));
  }

  #readLiteral(prefix: number, indexing: "index" | "not" | "never"): void {
    const index = this.#reader.integer(prefix);
    if (index < 0) return;
    // Past the limits, text is only needed where the table has to stay in step.
    const needed = this.#excess === undefined || indexing === "index";
    const name = index === 0 ? this.#reader.text(needed) : this.#nameAt(index);
    if (name === undefined) return;
    const value = this.#reader.text(needed);
    if (value === undefined) return;
    this.#add(name, value);
    if (indexing === "index") {
      this.#table.insert(name, value);
      this.#tableChanged = true;
    } else if (indexing === "never" && this.#excess === undefined && !isSecretName(name)) {
      // Ours goes on so whatever the peer says (hpack-secrets.ts).
      (this.#neverIndexed ??= []).push(name);
    }
  }

  #nameAt(index: number): string | undefined {
    if (index <= STATIC_ENTRIES) return STATIC_NAMES[index];
    const age = index - STATIC_ENTRIES - 1;
    if (age < this.#table.entries) return this.#table.name(age);
    return this.#reader.refuse(BEYOND);
  }

  /** Takes a field into the list as long as the list is within its limits. */
  #add(name: string, value: string): void {
    if (this.#excess !== undefined) return;
    this.#bytes += name.length + value.length + FIELD_OVERHEAD;
    if (this.#bytes > this.#limits.maxListBytes) this.#exceed(LARGE_LIST);
    else if (this.#fields.length >= 2 * this.#limits.maxFields) this.#exceed(MANY_FIELDS);
    else this.#fields.push(name, value);
  }

  #exceed(fault: HpackFault): void {
    this.#excess = fault;
    this.#fields = [];
  }
}

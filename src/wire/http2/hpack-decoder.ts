/**
 * Reads header blocks (RFC 7541), one connection's in the order in which they came.
 *
 * A block gives its fields, or it breaks the coding ("compression": the tables are out of step, so the
 * connection has to end), or it is more than the limits allow ("too-large": it was read to its end, so
 * the connection may go on). Refused as compression faults: index 0 and beyond the tables, integers of
 * more than 4 continuation octets, text that ends after the block, Huffman code with EOS or padding
 * that is too long or not of ones, a change of the table's size that is not at the block's start, the
 * third one, and one to more than we announced.
 *
 * Time grows with the block's bytes and not with what they expand to: a block of thousands of
 * references to one large entry (a header bomb) is walked through, and what is past the limits is never
 * put into a list. Names and values are not judged here (request-fields.ts).
 */
import type { Fields } from "../../model/http.ts";
import { decodeHuffman, maxDecodedLength } from "./huffman.ts";
import { FIELD_OVERHEAD, INITIAL_TABLE_BYTES } from "./hpack-limits.ts";
import { HpackMemo } from "./hpack-memo.ts";
import { HpackTable } from "./hpack-table.ts";
import { isSecretName } from "./hpack-secrets.ts";
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

export interface HpackLimits {
  /** SETTINGS_HEADER_TABLE_SIZE that we announced; at least the 4096 that are in force without. */
  readonly maxTableBytes: number;
  /** Names and values of a block, and 32 for each field (RFC 9113 section 6.5.2). */
  readonly maxListBytes: number;
  /** Fields of a block, pseudo-fields among them. */
  readonly maxFields: number;
}

export interface HpackFault {
  readonly fault: "compression" | "too-large";
  /** For the operator: the rule that was broken. Holds no byte of the block. */
  readonly detail: string;
}

/** Tells a fault from decoded fields. */
export function isHpackFault(result: Fields | HpackFault): result is HpackFault {
  return "fault" in result;
}

const LIMITS = {
  /** Continuation octets of an integer: 2^28 is more than any length that fits in a block. */
  continuations: 4,
  /** Changes of the table's size in a block: the smallest in between and the last (section 4.2). */
  sizeUpdates: 2,
  /** Scratch space that is kept; text that needs more has its own, for as long as it is read. */
  scratch: 64 * 1024,
} as const;

/** Whole blocks of a connection that are remembered: a usual one has 50 to 1000 octets. */
const BLOCK_MEMO = { minBytes: 8, maxBytes: 2048 };
/** Texts that are remembered, tokens above all: decoding 24 octets costs as much as comparing them. */
const TEXT_MEMO = { minBytes: 24, maxBytes: 2048 };

const INDEX_0 = compressionFault("index 0");
const BEYOND = compressionFault("an index beyond the tables");
const BAD_INTEGER = compressionFault("an integer that is too long or not complete");
const BAD_TEXT = compressionFault("text that ends after its block");
const BAD_HUFFMAN = compressionFault("Huffman code with EOS, or with wrong padding");
const LATE_UPDATE = compressionFault("a change of the table's size after a field");
const MANY_UPDATES = compressionFault("more than two changes of the table's size in a block");
const LARGE_UPDATE = compressionFault("a table larger than was announced");
const AFTER_FAULT = compressionFault("a block after one that broke the compression");
const LARGE_LIST: HpackFault = Object.freeze({
  fault: "too-large",
  detail: "more bytes of fields in a block than the limit",
});
const MANY_FIELDS: HpackFault = Object.freeze({
  fault: "too-large",
  detail: "more fields in a block than the limit",
});

const NO_FIELDS: Fields = Object.freeze([]);
const NO_NAMES: readonly string[] = Object.freeze([]);

interface KnownBlock {
  readonly fields: Fields;
  readonly neverIndexed: readonly string[];
}
const NO_BLOCK: KnownBlock = Object.freeze({ fields: NO_FIELDS, neverIndexed: NO_NAMES });

/** Decoding is synchronous, so all connections share it. */
const scratch = Buffer.allocUnsafeSlow(LIMITS.scratch);

export class HpackDecoder {
  readonly #limits: HpackLimits;
  readonly #table = new HpackTable(INITIAL_TABLE_BYTES);
  readonly #blocks = new HpackMemo<KnownBlock>(BLOCK_MEMO, NO_BLOCK);
  readonly #texts = new HpackMemo<string>(TEXT_MEMO, "");
  #broken = false;

  // Of the block that is being read.
  #block: Buffer = scratch;
  #at = 0;
  #fault: HpackFault | undefined;
  #fields: string[] = [];
  #bytes = 0;
  #excess: HpackFault | undefined;
  #neverIndexed: readonly string[] = NO_NAMES;
  #tableChanged = false;

  constructor(limits: HpackLimits) {
    // RFC 7541 section 4.2 would have the peer's acknowledgement waited for, and nobody gains by it.
    if (limits.maxTableBytes < INITIAL_TABLE_BYTES) {
      throw new TypeError(`a table of less than ${INITIAL_TABLE_BYTES} bytes`);
    }
    this.#limits = limits;
  }

  /**
   * Names in the last block whose fields the peer wants never indexed and that we would index: whoever
   * passes them on has to tell the encoder (RFC 7541 section 6.2.3).
   */
  get neverIndexed(): readonly string[] {
    return this.#neverIndexed;
  }

  /** The block's fields; the list may be one that was given before, so nobody changes it. */
  decode(block: Buffer): Fields | HpackFault {
    if (this.#broken) return AFTER_FAULT;
    const known = this.#blocks.recall(block, 0, block.length);
    if (known !== undefined) {
      this.#neverIndexed = known.neverIndexed;
      return known.fields;
    }
    this.#begin(block);
    this.#readSizeUpdates();
    while (this.#at < block.length && this.#fault === undefined) this.#readField();
    return this.#finish();
  }

  #begin(block: Buffer): void {
    this.#block = block;
    this.#at = 0;
    this.#fault = undefined;
    this.#fields = [];
    this.#bytes = 0;
    this.#excess = undefined;
    this.#neverIndexed = NO_NAMES;
    this.#tableChanged = false;
  }

  #finish(): Fields | HpackFault {
    const block = this.#block;
    const fields = this.#fields;
    this.#block = scratch;
    this.#fields = [];
    if (this.#tableChanged) this.#blocks.forget(NO_BLOCK);
    if (this.#fault !== undefined) {
      this.#broken = true;
      return this.#fault;
    }
    if (this.#excess !== undefined) return this.#excess;
    if (!this.#tableChanged) {
      const known = { fields, neverIndexed: this.#neverIndexed };
      this.#blocks.notice({ buffer: block, start: 0, end: block.length }, known);
    }
    return fields;
  }

  /** RFC 7541 section 4.2: at the beginning of a block, and two at most. */
  #readSizeUpdates(): void {
    for (let updates = 0; this.#at < this.#block.length; updates += 1) {
      const first = this.#block[this.#at] as number;
      if ((first & 0xe0) !== 0x20) return;
      const bytes = this.#readInteger(0x1f);
      if (bytes < 0) return;
      if (updates === LIMITS.sizeUpdates) return this.#refuse(MANY_UPDATES);
      if (bytes > this.#limits.maxTableBytes) return this.#refuse(LARGE_UPDATE);
      this.#table.resize(bytes);
      this.#tableChanged = true;
    }
  }

  /** One representation (RFC 7541 section 6); its first bits say which. */
  #readField(): void {
    const first = this.#block[this.#at] as number;
    if (first >= 0x80) this.#readIndexed();
    else if (first >= 0x40) this.#readLiteral(0x3f, "index");
    else if (first >= 0x20) this.#refuse(LATE_UPDATE);
    else this.#readLiteral(0x0f, first >= 0x10 ? "never" : "not");
  }

  #readIndexed(): void {
    const index = this.#readInteger(0x7f);
    if (index < 0) return;
    if (index === 0) return this.#refuse(INDEX_0);
    if (index <= STATIC_ENTRIES) {
      this.#add(STATIC_NAMES[index] as string, STATIC_VALUES[index] as string);
      return;
    }
    const age = index - STATIC_ENTRIES - 1;
    if (age >= this.#table.entries) return this.#refuse(BEYOND);
    this.#add(this.#table.name(age), this.#table.value(age));
  }

  #readLiteral(prefix: number, indexing: "index" | "not" | "never"): void {
    const index = this.#readInteger(prefix);
    if (index < 0) return;
    // Past the limits, text is only needed where the table has to stay in step.
    const needed = this.#excess === undefined || indexing === "index";
    const name = index === 0 ? this.#readText(needed) : this.#nameAt(index);
    if (name === undefined) return;
    const value = this.#readText(needed);
    if (value === undefined) return;
    this.#add(name, value);
    if (indexing === "index") {
      this.#table.insert(name, value);
      this.#tableChanged = true;
    } else if (indexing === "never" && this.#excess === undefined && !isSecretName(name)) {
      if (this.#neverIndexed === NO_NAMES) this.#neverIndexed = [name];
      else (this.#neverIndexed as string[]).push(name);
    }
  }

  #nameAt(index: number): string | undefined {
    if (index <= STATIC_ENTRIES) return STATIC_NAMES[index];
    const age = index - STATIC_ENTRIES - 1;
    if (age < this.#table.entries) return this.#table.name(age);
    this.#refuse(BEYOND);
    return undefined;
  }

  /** RFC 7541 section 5.2. Gives "" where text is not needed, and undefined after a fault. */
  #readText(needed: boolean): string | undefined {
    if (this.#at >= this.#block.length) return this.#refuse(BAD_TEXT);
    const begin = this.#at;
    const huffman = (this.#block[begin] as number) >= 0x80;
    const length = this.#readInteger(0x7f);
    if (length < 0) return undefined;
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) return this.#refuse(BAD_TEXT);
    this.#at = end;
    if (length < TEXT_MEMO.minBytes) return this.#textOf({ start, end, huffman }, needed);
    // With the octets of its length, which say whether it is Huffman coded.
    const known = this.#texts.recall(this.#block, begin, end);
    if (known !== undefined) return known;
    const text = this.#textOf({ start, end, huffman }, needed);
    if (needed && text !== undefined) {
      this.#texts.notice({ buffer: this.#block, start: begin, end }, text);
    }
    return text;
  }

  #textOf(
    { start, end, huffman }: { start: number; end: number; huffman: boolean },
    needed: boolean,
  ): string | undefined {
    if (!huffman) return needed ? this.#block.toString("latin1", start, end) : "";
    const room = maxDecodedLength(end - start);
    const out = room <= LIMITS.scratch ? scratch : Buffer.allocUnsafeSlow(room);
    const length = decodeHuffman(this.#block, start, end, out);
    if (length < 0) return this.#refuse(BAD_HUFFMAN);
    return needed ? out.toString("latin1", 0, length) : "";
  }

  /** RFC 7541 section 5.1; -1 after a fault. `prefix` has ones where the number's first bits are. */
  #readInteger(prefix: number): number {
    const block = this.#block;
    let value = (block[this.#at++] as number) & prefix;
    if (value < prefix) return value;
    for (let shift = 0; shift < 7 * LIMITS.continuations; shift += 7) {
      const octet = block[this.#at++];
      if (octet === undefined) break;
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    this.#refuse(BAD_INTEGER);
    return -1;
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

  #refuse(fault: HpackFault): undefined {
    this.#fault = fault;
  }
}

function compressionFault(detail: string): HpackFault {
  return Object.freeze({ fault: "compression", detail });
}

/**
 * A place in a header block, and the two primitive types that lie in it: integers and text (RFC 7541
 * section 5).
 *
 * Refused are integers of more than 4 continuation octets, whatever their value, text that is longer
 * than the rest of the block, and Huffman code with EOS or wrong padding. The first fault stays.
 */
import { hpackFault, type HpackFault } from "./hpack-fault.ts";
import { HpackMemo } from "./hpack-memo.ts";
import { decodeHuffman, maxDecodedLength } from "./huffman.ts";

const LIMITS = {
  /** Continuation octets of an integer: 2^28 is more than any length that fits in a block. */
  continuations: 4,
  /** Scratch space that is kept; text that needs more has its own, for as long as it is read. */
  scratch: 64 * 1024,
} as const;

/** Texts that are remembered: tokens above all, since shorter ones are read as fast as compared. */
const TEXT_MEMO = { minBytes: 64, maxBytes: 2048 };

const BAD_INTEGER = hpackFault("compression", "an integer that is too long or not complete");
const BAD_TEXT = hpackFault("compression", "text that ends after its block");
const BAD_HUFFMAN = hpackFault("compression", "Huffman code with EOS, or with wrong padding");

/** Decoding is synchronous, so all connections share it. */
const scratch = Buffer.allocUnsafeSlow(LIMITS.scratch);
const NO_BLOCK = Buffer.alloc(0);

export class HpackReader {
  readonly #texts = new HpackMemo<string>(TEXT_MEMO, "");
  #block: Buffer = NO_BLOCK;
  #at = 0;
  #fault: HpackFault | undefined;

  begin(block: Buffer): void {
    this.#block = block;
    this.#at = 0;
    this.#fault = undefined;
  }

  /** Lets go of the block. */
  end(): void {
    this.#block = NO_BLOCK;
  }

  /** Why the block means nothing from here on. */
  get fault(): HpackFault | undefined {
    return this.#fault;
  }

  /** The octet that comes next and is not taken yet; -1 at the end of the block and after a fault. */
  peek(): number {
    if (this.#fault !== undefined || this.#at >= this.#block.length) return -1;
    return this.#block[this.#at] as number;
  }

  refuse(fault: HpackFault): undefined {
    this.#fault ??= fault;
  }

  /**
   * RFC 7541 section 5.1; -1 after a fault. `prefix` has ones where the number's first bits are in
   * the next octet, of which there has to be one.
   */
  integer(prefix: number): number {
    const block = this.#block;
    let value = (block[this.#at++] as number) & prefix;
    if (value < prefix) return value;
    for (let shift = 0; shift < 7 * LIMITS.continuations; shift += 7) {
      const octet = block[this.#at++];
      if (octet === undefined) break;
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    this.refuse(BAD_INTEGER);
    return -1;
  }

  /** RFC 7541 section 5.2; undefined after a fault. Text that is not `needed` is checked, and "". */
  text(needed: boolean): string | undefined {
    const begin = this.#at;
    const first = this.peek();
    if (first < 0) return this.refuse(BAD_TEXT);
    const length = this.integer(0x7f);
    if (length < 0) return undefined;
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) return this.refuse(BAD_TEXT);
    this.#at = end;
    if (!needed || length < TEXT_MEMO.minBytes) return this.#read(first, start, needed);
    // With the octets of its length, which say whether it is Huffman coded.
    const known = this.#texts.recall(this.#block, begin, end);
    if (known !== undefined) return known;
    const text = this.#read(first, start, needed);
    if (text !== undefined) this.#texts.notice({ buffer: this.#block, start: begin, end }, text);
    return text;
  }

  /** From `start` to where the reader is. */
  #read(first: number, start: number, needed: boolean): string | undefined {
    const end = this.#at;
    if (first < 0x80) return needed ? this.#block.toString("latin1", start, end) : "";
    const room = maxDecodedLength(end - start);
    const out = room <= LIMITS.scratch ? scratch : Buffer.allocUnsafeSlow(room);
    const length = decodeHuffman(this.#block, start, end, out);
    if (length < 0) return this.refuse(BAD_HUFFMAN);
    return needed ? out.toString("latin1", 0, length) : "";
  }
}

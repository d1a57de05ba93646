/**
 * HPACK (RFC 7541) for tests: an encoder of plain literals, which can write any name and any value,
 * and a decoder that goes bit by bit, slow and short. Neither shares a line with `src/wire/http2`.
 */
import { CODE_LENGTHS } from "./huffman-lengths.ts";

export type Field = readonly [name: string, value: string];

/** The table of RFC 7541 appendix A, from index 1 on. */
const STATIC_TABLE: readonly Field[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((code): Field => [":status", code]),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...`accept-language accept-ranges accept access-control-allow-origin age allow authorization
    cache-control content-disposition content-encoding content-language content-length
    content-location content-range content-type cookie date etag expect expires from host if-match
    if-modified-since if-none-match if-range if-unmodified-since last-modified link location
    max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server
    set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate`
    .split(/\s+/)
    .map((name): Field => [name, ""]),
];

/** Each field as a literal without indexing (section 6.2.2), no Huffman; one character a byte. */
export function encodeLiterals(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(([name, value]) => [
    Buffer.of(0),
    encodeString(name),
    encodeString(value),
  ]);
  return Buffer.concat(parts);
}

/** A literal with incremental indexing (section 6.2.1): it goes into the dynamic table. */
export function encodeIndexed([name, value]: Field): Buffer {
  return Buffer.concat([Buffer.of(0x40), encodeString(name), encodeString(value)]);
}

/** A reference to an entry of either table (section 6.1). */
export function encodeReference(index: number): Buffer {
  return encodeInteger(index, 7, 0x80);
}

export function encodeTableSize(bytes: number): Buffer {
  return encodeInteger(bytes, 5, 0x20);
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([encodeInteger(bytes.length, 7, 0), bytes]);
}

/** Section 5.1; `pattern` is what stands above the prefix. */
function encodeInteger(value: number, prefix: number, pattern: number): Buffer {
  const most = 2 ** prefix - 1;
  if (value < most) return Buffer.of(pattern | value);
  const bytes = [pattern | most];
  let left = value - most;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Buffer.of(...bytes, left);
}

/** One direction of a connection. Throws at whatever is not HPACK. */
export class PlainDecoder {
  readonly #dynamic: Field[] = [];
  #limit = 4096;

  decode(block: Buffer): Field[] {
    const reader = new BlockReader(block);
    const fields: Field[] = [];
    while (!reader.done) {
      const first = reader.peek();
      if (first >= 0x80) fields.push(this.#entry(reader.integer(7)));
      else if (first >= 0x40) this.#insert(push(fields, this.#literal(reader, 6)));
      else if (first < 0x20) fields.push(this.#literal(reader, 4));
      else if (fields.length > 0) throw new Error("a size update behind a field");
      else this.#resize(reader.integer(5));
    }
    return fields;
  }

  #literal(reader: BlockReader, prefix: number): Field {
    const index = reader.integer(prefix);
    const name = index === 0 ? reader.string() : this.#entry(index)[0];
    return [name, reader.string()];
  }

  #entry(index: number): Field {
    const entry = STATIC_TABLE[index - 1] ?? this.#dynamic[index - 1 - STATIC_TABLE.length];
    if (entry === undefined) throw new Error(`index ${index} is in no table`);
    return entry;
  }

  #insert(field: Field): void {
    this.#dynamic.unshift(field);
    this.#evict();
  }

  #resize(limit: number): void {
    if (limit > 4096) throw new Error(`a table of ${limit} bytes, which nobody allowed`);
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    const size = (): number =>
      this.#dynamic.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    while (size() > this.#limit) this.#dynamic.pop();
  }
}

function push(fields: Field[], field: Field): Field {
  fields.push(field);
  return field;
}

class BlockReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  peek(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Error("the block ends within a field");
    return byte;
  }

  integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  string(): string {
    const huffman = this.peek() >= 0x80;
    const end = this.integer(7) + this.#at;
    if (end > this.#bytes.length) throw new Error("a string beyond its block");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return huffman ? decodeHuffman(bytes) : bytes.toString("latin1");
  }

  #byte(): number {
    const byte = this.peek();
    this.#at += 1;
    return byte;
  }
}

/**
 * The codes are canonical (RFC 7541 appendix B): of one length in the order of their symbols, and
 * the first of a length follows the last of the shorter ones. So their lengths are all of them.
 */
const SYMBOLS: ReadonlyMap<string, number> = canonicalCodes();

function canonicalCodes(): Map<string, number> {
  const codes = new Map<string, number>();
  const bySize = CODE_LENGTHS.map((bits, symbol) => ({ bits, symbol })).toSorted(
    (a, b) => a.bits - b.bits || a.symbol - b.symbol,
  );
  let code = 0;
  let bits = 0;
  for (const entry of bySize) {
    code *= 2 ** (entry.bits - bits);
    bits = entry.bits;
    codes.set(code.toString(2).padStart(bits, "0"), entry.symbol);
    code += 1;
  }
  return codes;
}

function decodeHuffman(bytes: Buffer): string {
  let text = "";
  let pending = "";
  for (const byte of bytes) {
    for (const bit of byte.toString(2).padStart(8, "0")) {
      pending += bit;
      const symbol = SYMBOLS.get(pending);
      if (symbol === undefined) continue;
      if (symbol === 256) throw new Error("the end-of-string symbol within a string");
      text += String.fromCharCode(symbol);
      pending = "";
    }
  }
  // Section 5.2: the padding is less than a byte of the most significant bits of EOS, all ones.
  if (pending.length > 7 || pending.includes("0")) throw new Error("padding that is not of EOS");
  return text;
}

/**
 * A reader of DER (X.690), as far as certificates and revocation lists need it. It refuses what is
 * not DER: indefinite lengths, lengths with leading zeros, tags above 30, bytes that are left over.
 */
import { SallyportError } from "../model/errors.ts";

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element. */
export interface DerElement {
  readonly tag: number;
  /** All of it, tag and length included. */
  readonly bytes: Buffer;
  readonly content: Buffer;
}

/** What is not as DER or the structure in it demands. Holds no value of the input. */
export function derFault(detail: string): SallyportError {
  return new SallyportError("certificate-invalid", detail);
}

/** Takes elements off the front of a buffer. Every verb throws `certificate-invalid`. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The tag of the next element; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The next element, which must have this tag. */
  next(tag: number): DerElement {
    if (this.tag !== tag) throw derFault(`tag ${hex(this.tag)} where ${hex(tag)} belongs`);
    return this.any();
  }

  optional(tag: number): DerElement | undefined {
    return this.tag === tag ? this.any() : undefined;
  }

  any(): DerElement {
    const bytes = this.#bytes;
    const start = this.#at;
    const tag = bytes[start];
    let length = bytes[start + 1];
    if (tag === undefined || length === undefined) throw derFault("cut short");
    if ((tag & 0x1f) === 0x1f) throw derFault("a tag of several bytes");
    let head = 2;
    if (length >= 0x80) {
      const count = length - 0x80;
      if (count === 0 || count > 4) throw derFault("a length that is not DER");
      length = 0;
      for (let index = 0; index < count; index++) {
        length = length * 256 + (bytes[start + 2 + index] ?? 0);
      }
      if (length < 0x80 || length < 256 ** (count - 1)) throw derFault("a length that is not DER");
      head += count;
    }
    const end = start + head + length;
    if (end > bytes.length) throw derFault("cut short");
    this.#at = end;
    return { tag, bytes: bytes.subarray(start, end), content: bytes.subarray(start + head, end) };
  }

  /** Nothing may be left. */
  end(): void {
    if (!this.done) throw derFault("bytes after the end");
  }
}

/** The elements in a SEQUENCE or SET. */
export function inside(element: DerElement): DerReader {
  return new DerReader(element.content);
}

/** The one SEQUENCE that these bytes are. */
export function wholeSequence(bytes: Buffer): DerReader {
  const reader = new DerReader(bytes);
  const sequence = reader.next(TAG.sequence);
  reader.end();
  return inside(sequence);
}

/** `1.2.840.10045.4.3.2` */
export function oidText({ content }: DerElement): string {
  const arcs: number[] = [];
  let value = 0;
  for (const [index, byte] of content.entries()) {
    value = value * 128 + (byte & 0x7f);
    if (value > 2 ** 40) throw derFault("an object identifier that is too large");
    if (byte >= 0x80) {
      if (index === content.length - 1) throw derFault("an object identifier that is cut short");
      continue;
    }
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      arcs.push(first, value - first * 40);
    } else arcs.push(value);
    value = 0;
  }
  return arcs.join(".");
}

/** A small non-negative INTEGER. */
export function smallInteger({ content }: DerElement): number {
  const first = content[0];
  if (first === undefined || first >= 0x80 || content.length > 4) {
    throw derFault("a number out of bounds");
  }
  return content.readUIntBE(0, content.length);
}

/** UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has them → milliseconds. */
export function timeOf(reader: DerReader): number {
  const { tag, content } = reader.any();
  const text = content.toString("latin1");
  const match =
    tag === TAG.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : tag === TAG.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
        : null;
  if (match === null) throw derFault("a time that is none");
  const [, year = "", month, day, hour, minute, second] = match;
  // Two digits stand for 1950 to 2049.
  const full = year.length === 4 ? year : Number(year) >= 50 ? `19${year}` : `20${year}`;
  const ms = Date.parse(`${full}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) throw derFault("a time that is none");
  return ms;
}

/** A BOOLEAN that may be left out, and is false then. DER has two values (X.690 section 11.1): others count as true elsewhere. */
export function optionalFlag(reader: DerReader): boolean {
  const found = reader.optional(TAG.boolean)?.content;
  if (found === undefined) return false;
  if (found.length !== 1 || (found[0] !== 0 && found[0] !== 0xff)) {
    throw derFault("a BOOLEAN that is not DER");
  }
  return found[0] === 0xff;
}

/** Whether a bit of a BIT STRING is set; bit 0 is the first. */
export function bitOf({ content }: DerElement, bit: number): boolean {
  const byte = content[1 + (bit >> 3)] ?? 0;
  return (byte & (0x80 >> (bit & 7))) !== 0;
}

function hex(tag: number | undefined): string {
  return tag === undefined ? "none" : `0x${tag.toString(16)}`;
}

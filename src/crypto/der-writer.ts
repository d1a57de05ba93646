/**
 * A writer of DER (X.690), as far as certificates need it; its reader is `der.ts`. Takes checked
 * values only: what DER cannot say (a negative length of a life, a year 10000) is a programmer's
 * error, a RangeError.
 */
import { TAG } from "./der.ts";

/** One element: tag, the shortest form of the length (X.690 section 10.1), and the parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = bytesOf(BigInt(length));
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...parts);
}

export function set(part: Uint8Array): Buffer {
  return der(TAG.set, part);
}

/** `[tag] EXPLICIT`. */
export function explicit(tag: number, part: Uint8Array): Buffer {
  return der(0xa0 | tag, part);
}

/** An INTEGER that is not negative, in the fewest octets (section 8.3.2). Bytes are read as unsigned. */
export function integer(value: bigint | number | Uint8Array): Buffer {
  const number = value instanceof Uint8Array ? bigintOf(value) : BigInt(value);
  if (number < 0n) throw new RangeError("an INTEGER here is not negative");
  const bytes = bytesOf(number);
  // The first bit is the sign.
  const sign = (bytes[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : [];
  return der(TAG.integer, ...sign, bytes);
}

/** DER leaves FALSE out wherever it is a default, which it is everywhere here. */
export function isTrue(): Buffer {
  return der(TAG.boolean, Buffer.from([0xff]));
}

export function octetString(content: Uint8Array): Buffer {
  return der(TAG.octetString, content);
}

/** A BIT STRING of whole bytes. */
export function bitString(content: Uint8Array): Buffer {
  return der(TAG.bitString, Buffer.from([0]), content);
}

/** Named bits; the zeros after the last one are left out (section 11.2.2). */
export function namedBits(bits: readonly number[]): Buffer {
  const last = Math.max(-1, ...bits);
  const content = Buffer.alloc(Math.floor(last / 8) + 1);
  for (const bit of bits) content[bit >> 3] = (content[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return der(TAG.bitString, Buffer.from([content.length * 8 - last - 1]), content);
}

export function utf8String(text: string): Buffer {
  return der(TAG.utf8String, Buffer.from(text, "utf8"));
}

/** `1.2.840.10045.4.3.2` */
export function oid(text: string): Buffer {
  const [first = -1, second = -1, ...rest] = text.split(".").map(Number);
  const arcs = [first * 40 + second, ...rest];
  if (first < 0 || first > 2 || second < 0 || (first < 2 && second > 39)) {
    throw new RangeError(`not an object identifier: ${text}`);
  }
  return der(TAG.oid, Buffer.from(arcs.flatMap(base128)));
}

function base128(arc: number): number[] {
  if (!Number.isSafeInteger(arc) || arc < 0) throw new RangeError("not an arc of an identifier");
  const groups = [arc % 128];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
    groups.unshift((left % 128) | 0x80);
  }
  return groups;
}

/** UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5). Whole seconds, rounded down. */
export function time(ms: number): Buffer {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  // Also where `ms` is no time at all.
  if (!(year >= 1950 && year <= 9999))
    throw new RangeError("a time that a certificate cannot hold");
  const text = date.toISOString().replace(/[-:T]|\.\d{3}/g, "");
  return year < 2050
    ? der(TAG.utcTime, Buffer.from(text.slice(2), "latin1"))
    : der(TAG.generalizedTime, Buffer.from(text, "latin1"));
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function bigintOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) throw new RangeError("an INTEGER has at least one octet");
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

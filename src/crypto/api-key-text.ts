/**
 * The form of an API key: `<prefix><43 of base62><6 of base62>`, such as `sp_` and 49 letters and
 * digits. The 43 are 256 random bits; the 6 are the CRC-32 of all before them. So a scanner of
 * repositories and logs finds one that leaked by a pattern with almost no false finds
 * (`docs/identity.md` has it), a double click selects it whole, and one that was mistyped, cut short or
 * changed in case is told without a look-up.
 *
 * The checksum proves nothing about who made it: whoever wants can make a text of this form.
 */
import { createHmac, type KeyObject } from "node:crypto";

/** Prefixes end in the only `_` that they have, so none is the beginning of another. */
export const API_KEY_PREFIX = /^[a-z][a-z0-9]{1,15}_$/;

/** 62^43 is just above 2^256. */
const SECRET_CHARS = 43;
/** 62^6 is above 2^32. */
const CHECK_CHARS = 6;
const BODY_CHARS = SECRET_CHARS + CHECK_CHARS;

const SECRET_BYTES = 32;

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY = /^[0-9A-Za-z]+$/;

/** A new one. `random` gives so many bytes from the system's generator. */
export function makeApiKey(prefix: string, random: (bytes: number) => Uint8Array): string {
  if (!API_KEY_PREFIX.test(prefix)) throw new TypeError("not the prefix of API keys");
  const bytes = random(SECRET_BYTES);
  if (bytes.length !== SECRET_BYTES) throw new TypeError("not as many random bytes as asked for");
  const text = prefix + base62(BigInt(`0x${Buffer.from(bytes).toString("hex")}`), SECRET_CHARS);
  return text + checksum(text);
}

export type ApiKeyFault = "prefix" | "length" | "characters" | "checksum";

/** Why the text cannot be an API key of this prefix; undefined: it is in the form of one. */
export function apiKeyFault(text: string, prefix: string): ApiKeyFault | undefined {
  if (!text.startsWith(prefix)) return "prefix";
  if (text.length !== prefix.length + BODY_CHARS) return "length";
  if (!BODY.test(text.slice(prefix.length))) return "characters";
  const border = text.length - CHECK_CHARS;
  return checksum(text.slice(0, border)) === text.slice(border) ? undefined : "checksum";
}

/**
 * The text with each API key in it cut to its prefix and `*`: for records of what callers wrote, who paste keys
 * where they do not belong. Whatever the prefix; the checksum tells a key from a name that only looks like one.
 */
export function maskApiKeys(text: string): string {
  if (text.length < SHORTEST || !text.includes("_")) return text;
  return text.replaceAll(KEY_WITHIN, (found: string, prefix: string) => {
    // What stands before the prefix may look as if it belonged to it.
    for (let start = 0; start <= prefix.length - SHORTEST_PREFIX; start++) {
      const own = prefix.slice(start);
      if (!API_KEY_PREFIX.test(own)) continue;
      if (apiKeyFault(found.slice(start), own) === undefined) return `${prefix}*`;
    }
    return found;
  });
}

const SHORTEST_PREFIX = 3;
const SHORTEST = SHORTEST_PREFIX + BODY_CHARS;
const KEY_WITHIN = new RegExp(`([a-z][a-z0-9]*_)[0-9A-Za-z]{${BODY_CHARS}}`, "g");

/** HMAC-SHA-256 (RFC 2104): what stands for a key in the store and on the feed. 32 bytes. */
export function macOfApiKey(text: string, macKey: KeyObject): Buffer {
  return createHmac("sha256", macKey).update(text).digest();
}

function base62(value: bigint, chars: number): string {
  let text = "";
  for (let rest = value; text.length < chars; rest /= 62n) {
    text = ALPHABET.charAt(Number(rest % 62n)) + text;
  }
  return text;
}

/** As `base62`, with numbers: it is on the way of each key that is not known yet. */
function checksum(text: string): string {
  let digits = "";
  let rest = crc32(text);
  for (let place = 0; place < CHECK_CHARS; place++) {
    digits = ALPHABET.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** CRC-32 of IEEE 802.3 (polynomial 0xEDB88320, reflected), as in gzip: of ASCII text. */
function crc32(text: string): number {
  let crc = 0xffff_ffff;
  for (let index = 0; index < text.length; index++) {
    crc = (TABLE[(crc ^ text.charCodeAt(index)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

const TABLE: Readonly<Uint32Array> = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});

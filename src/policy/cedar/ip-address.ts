/**
 * Cedar's `ipaddr`: an IPv4 or IPv6 address or range. Parsing takes exactly what Cedar 4.5 takes: no
 * leading zeros, no IPv4 embedded in IPv6, no zone.
 */
import { BAD_EXTENSION } from "./evaluation-error.ts";

const LIMITS = {
  /** Cedar refuses longer texts before it looks at them: eight groups and a prefix of three digits. */
  textLength: 43,
} as const;

/** Frozen by use: nothing changes one after it is made. */
export class IpAddress {
  readonly version: 4 | 6;
  /** 32 bits in one word, or 128 bits in four. */
  readonly words: readonly number[];
  /** Bits of the network part; 32 or 128 for one address. */
  readonly prefix: number;

  constructor(version: 4 | 6, words: readonly number[], prefix: number) {
    this.version = version;
    this.words = words;
    this.prefix = prefix;
  }

  equals(other: IpAddress): boolean {
    return (
      this.version === other.version &&
      this.prefix === other.prefix &&
      sameBits(this.words, other.words, this.version === 4 ? 32 : 128)
    );
  }

  isIpv4(): boolean {
    return this.version === 4;
  }

  isIpv6(): boolean {
    return this.version === 6;
  }

  isLoopback(): boolean {
    return this.isInRange(this.version === 4 ? LOOPBACK_V4 : LOOPBACK_V6);
  }

  isMulticast(): boolean {
    return this.isInRange(this.version === 4 ? MULTICAST_V4 : MULTICAST_V6);
  }

  /** Whether every address of this range lies in the other. */
  isInRange(range: IpAddress): boolean {
    return (
      this.version === range.version &&
      this.prefix >= range.prefix &&
      sameBits(this.words, range.words, range.prefix)
    );
  }
}

const LOOPBACK_V4 = new IpAddress(4, [0x7f000000], 8);
const LOOPBACK_V6 = new IpAddress(6, [0, 0, 0, 1], 128);
const MULTICAST_V4 = new IpAddress(4, [0xe0000000], 4);
const MULTICAST_V6 = new IpAddress(6, [0xff000000, 0, 0, 0], 8);

/** Throws BAD_EXTENSION. */
export function parseIpAddress(text: string): IpAddress {
  if (text.length > LIMITS.textLength) throw BAD_EXTENSION;
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const version = address.includes(":") ? 6 : 4;
  const words = version === 4 ? parseV4(address) : parseV6(address);
  if (words === undefined) throw BAD_EXTENSION;
  const widest = version === 4 ? 32 : 128;
  return new IpAddress(
    version,
    words,
    slash < 0 ? widest : parsePrefix(text.slice(slash + 1), widest),
  );
}

function sameBits(left: readonly number[], right: readonly number[], bits: number): boolean {
  let rest = bits;
  for (let index = 0; rest > 0; index++, rest -= 32) {
    const different = (left[index] ?? 0) ^ (right[index] ?? 0);
    if ((rest >= 32 ? different : different >>> (32 - rest)) !== 0) return false;
  }
  return true;
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let word = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    word = (word << 8) | octet;
  }
  return [word];
}

function parseV6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "");
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "") : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  const words: number[] = [];
  for (let index = 0; index < 8; index += 2) {
    words.push(((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0));
  }
  return words;
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  for (const part of text.split(":")) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
    groups.push(Number.parseInt(part, 16));
  }
  return groups;
}

function parsePrefix(text: string, widest: number): number {
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(text) || Number(text) > widest) throw BAD_EXTENSION;
  return Number(text);
}

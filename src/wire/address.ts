/**
 * IP addresses and CIDR blocks.
 *
 * IPv4 is four decimal octets without leading zeros: no octal, hex or short forms, which different
 * resolvers read differently. IPv6 is RFC 4291 section 2.2 without zone ids. `normalizeAddress`
 * writes IPv4-mapped IPv6 as IPv4, so that one peer has one name on every listener.
 */
export interface IpAddress {
  readonly family: 4 | 6;
  /** Big-endian 16-bit groups: 2 for IPv4, 8 for IPv6. */
  readonly groups: readonly number[];
}

export interface Cidr {
  readonly address: IpAddress;
  /** Leading bits that have to match: 0 to 32, or 0 to 128. */
  readonly prefix: number;
}

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const GROUP = /^[0-9a-fA-F]{1,4}$/;
const PREFIX = /^(?:0|[1-9][0-9]{0,2})$/;
const GROUP_BITS = 16;
const V6_GROUPS = 8;
/** The longest text: eight groups, the last two as IPv4. */
const MAX_TEXT = 45;

/** The address, or undefined where the text is not one. An IPv4-mapped address stays IPv6. */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (IPV4.test(text)) return { family: 4, groups: ipv4Groups(text) };
  const groups = text.includes(":") ? ipv6Groups(text) : undefined;
  return groups === undefined ? undefined : { family: 6, groups };
}

/** Dotted decimal, or RFC 5952 text. */
export function formatAddress(address: IpAddress): string {
  if (address.family === 4) return address.groups.map((group) => octets(group)).join(".");
  return compress(address.groups);
}

/** ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) as the IPv4 address it stands for; others as they are. */
export function unmapped(address: IpAddress): IpAddress {
  const { family, groups } = address;
  const mapped =
    family === 6 && groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return mapped ? { family: 4, groups: groups.slice(6) } : address;
}

/** One spelling for each address: what records, policies and forwarded fields carry. */
export function normalizeAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(unmapped(address));
}

/**
 * `10.0.0.0/8`, `2001:db8::/32`, or one address. Undefined where it is not one, and where bits
 * beyond the prefix are set: `10.1.2.3/8` is more often a mistake than a wish.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = address.groups.length * GROUP_BITS;
  const digits = slash === -1 ? String(bits) : text.slice(slash + 1);
  if (!PREFIX.test(digits) || Number(digits) > bits) return undefined;
  const block = { address, prefix: Number(digits) };
  const base = address.groups.every((group, index) => (group & ~mask(block, index)) === 0);
  return base ? block : undefined;
}

/** Whether the address lies in the block. IPv4-mapped IPv6 on either side counts as IPv4. */
export function cidrContains(block: Cidr, address: IpAddress): boolean {
  const within = contains(block, address);
  return within || contains(unmappedBlock(block), unmapped(address));
}

function contains(block: Cidr, address: IpAddress): boolean {
  if (block.address.family !== address.family) return false;
  return block.address.groups.every(
    (group, index) => group === ((address.groups[index] ?? 0) & mask(block, index)),
  );
}

/** ::ffff:10.0.0.0/104 as 10.0.0.0/8. */
function unmappedBlock(block: Cidr): Cidr {
  const address = unmapped(block.address);
  const mappedBits = (block.address.groups.length - address.groups.length) * GROUP_BITS;
  return block.prefix < mappedBits ? block : { address, prefix: block.prefix - mappedBits };
}

/** Which bits of the group at `index` have to match. */
function mask(block: Cidr, index: number): number {
  const bits = Math.min(Math.max(block.prefix - index * GROUP_BITS, 0), GROUP_BITS);
  return (0xffff << (GROUP_BITS - bits)) & 0xffff;
}

function ipv4Groups(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

function ipv6Groups(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => groupList(half, index === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === V6_GROUPS ? head : undefined;
  if (tail === undefined) return undefined;
  // `::` stands for at least one group (RFC 5952 section 4.2.2 discourages, RFC 4291 allows, one).
  const zeros = V6_GROUPS - head.length - tail.length;
  return zeros < 1 ? undefined : [...head, ...Array<number>(zeros).fill(0), ...tail];
}

/** Colon-separated groups; the last two may be written as IPv4 where the text ends. */
function groupList(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else if (atEnd && index === parts.length - 1 && IPV4.test(part))
      groups.push(...ipv4Groups(part));
    else return undefined;
  }
  return groups;
}

function octets(group: number): string {
  return `${group >> 8}.${group & 0xff}`;
}

/** RFC 5952 section 4: lower case, no leading zeros, `::` for the first longest run of two or more zeros. */
function compress(groups: readonly number[]): string {
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(":");
  const head = hex.slice(0, run.start).join(":");
  return `${head}::${hex.slice(run.start + run.length).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

/**
 * Who the caller is, by what a trusted proxy in front of us says: `Forwarded` (RFC 7239), or
 * `X-Forwarded-For`, `-Proto` and `-Host`. Only for requests from such a proxy.
 *
 * The caller is the right-most address that is no trusted proxy: what stands left of it came from
 * the caller and is not looked at. Where all are trusted proxies, it is the left-most one.
 *
 * Refused rather than guessed: what does not follow its grammar; an address that is needed and is
 * none (`unknown`, an obfuscated identifier, a name); more than one protocol or host; two spellings
 * that do not say the same; more hops than the limit.
 */
import type { Fields, ForwardedClient, TrustProxy } from "../model/http.ts";
import { normalizeAddress } from "./address.ts";
import { parseAuthority } from "./authority.ts";
import { trimBlanks } from "./blanks.ts";
import { type ForwardedElement, parseForwarded } from "./forwarded-element.ts";

/** What cannot be read. */
export interface ForwardedFault {
  /** For the operator; holds no value of a field. */
  readonly fault: string;
}

const LIMITS = {
  /** Hops of one request: no real chain comes near, and each costs a look-up. */
  hops: 32,
} as const;

/** Undefined where the proxy said nothing. */
export function readForwarded(
  fields: Fields,
  trusted: TrustProxy,
): ForwardedClient | ForwardedFault | undefined {
  const said = collect(fields);
  if (said === undefined) return undefined;
  const standard = said.forwarded.length === 0 ? undefined : fromForwarded(said.forwarded, trusted);
  if (standard !== undefined && "fault" in standard) return standard;
  const older = fromOlder(said, trusted);
  if (older !== undefined && "fault" in older) return older;
  return standard === undefined || older === undefined
    ? (standard ?? older)
    : agreed(standard, older);
}

export function isForwardedFault(
  result: ForwardedClient | ForwardedFault | undefined,
): result is ForwardedFault {
  return result !== undefined && "fault" in result;
}

/**
 * The caller's address of a request that cannot be read in one way: what its proxy says still holds, and
 * whoever probes with such requests must not be taken for that proxy.
 */
export function unreadCaller({ head, peer, trust }: Unread): string {
  if (trust === undefined) return peer.address;
  const said = readForwarded(head.fields, trust);
  return isForwardedFault(said) ? peer.address : (said?.address ?? peer.address);
}

interface Unread {
  readonly head: { readonly fields: Fields };
  readonly peer: { readonly address: string };
  readonly trust?: TrustProxy | undefined;
}

/** Values of each field, line by line, in order. */
interface Said {
  readonly forwarded: string[];
  readonly addresses: string[];
  readonly protos: string[];
  readonly hosts: string[];
}

function collect(fields: Fields): Said | undefined {
  let said: Said | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    if (!name.endsWith("forwarded") && !name.startsWith("x-forwarded-")) continue;
    const member = MEMBERS[name];
    if (member === undefined) continue;
    said ??= { forwarded: [], addresses: [], protos: [], hosts: [] };
    said[member].push(fields[index + 1] ?? "");
  }
  return said;
}

const MEMBERS: Readonly<Record<string, keyof Said>> = {
  forwarded: "forwarded",
  "x-forwarded-for": "addresses",
  "x-forwarded-proto": "protos",
  "x-forwarded-host": "hosts",
};

function fromForwarded(
  lines: readonly string[],
  trusted: TrustProxy,
): ForwardedClient | ForwardedFault {
  const elements: ForwardedElement[] = [];
  for (const line of lines) {
    const read = parseForwarded(line, LIMITS.hops - elements.length);
    if (read === undefined) return { fault: "forwarded is not valid or has too many elements" };
    elements.push(...read);
  }
  const chain = pick(
    elements.map((element) => element.for ?? ""),
    trusted,
  );
  if ("fault" in chain) return chain;
  // The proxy that the caller reached wrote this element, so it says what the caller asked.
  const { proto, host } = elements[chain.index] ?? {};
  return withOrigin(chain, proto, host);
}

function fromOlder(said: Said, trusted: TrustProxy): ForwardedClient | ForwardedFault | undefined {
  const { addresses, protos, hosts } = said;
  if (addresses.length + protos.length + hosts.length === 0) return undefined;
  if (protos.length > 1 || hosts.length > 1) {
    return { fault: "x-forwarded-proto or x-forwarded-host stands there twice" };
  }
  if (addresses.length === 0) return withOrigin(NOBODY, protos[0], hosts[0]);
  const nodes = addresses.flatMap((line) => line.split(",", LIMITS.hops + 1)).map(trimBlanks);
  if (nodes.length > LIMITS.hops) return { fault: "x-forwarded-for has too many addresses" };
  const chain = pick(nodes, trusted);
  return "fault" in chain ? chain : withOrigin(chain, protos[0], hosts[0]);
}

interface Chain {
  readonly address: string | undefined;
  readonly hops: readonly string[];
}

const NOBODY: Chain = { address: undefined, hops: [] };

/** From the right: our peer wrote the last one. */
function pick(
  nodes: readonly string[],
  trusted: TrustProxy,
): (Chain & { readonly index: number }) | ForwardedFault {
  const hops: string[] = [];
  for (let index = nodes.length - 1; index >= 0; index--) {
    const address = nodeAddress(nodes[index] ?? "");
    if (address === undefined) return { fault: "a forwarded address that is needed is none" };
    if (index === 0 || !trusted(address)) return { address, hops, index };
    hops.unshift(address);
  }
  return { fault: "a forwarded field without an address" };
}

/** RFC 7239 section 6, and the bare IPv6 address of X-Forwarded-For. The port says nothing to us. */
const NODE =
  /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15}))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]{1,64}))?$/;

function nodeAddress(node: string): string | undefined {
  const match = NODE.exec(node);
  if (match === null) return node.includes(":") ? normalizeAddress(node) : undefined;
  const literal = match[1];
  // Brackets are for IPv6 alone.
  if (literal !== undefined && !literal.includes(":")) return undefined;
  return normalizeAddress(literal ?? match[2] ?? "");
}

function withOrigin(
  chain: Chain,
  proto: string | undefined,
  host: string | undefined,
): ForwardedClient | ForwardedFault {
  const scheme = proto?.toLowerCase();
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    return { fault: "a forwarded protocol that is neither http nor https" };
  }
  const authority = host === undefined ? undefined : parseAuthority(host)?.text;
  if (host !== undefined && authority === undefined) {
    return { fault: "a forwarded host that is none" };
  }
  return { address: chain.address, hops: chain.hops, scheme, authority };
}

/**
 * Both spellings stand there: they have to say the same, and as much. A proxy that writes one of them
 * may let the caller's own of the other kind pass, and what only that one says is the caller's word.
 */
function agreed(one: ForwardedClient, other: ForwardedClient): ForwardedClient | ForwardedFault {
  const same =
    one.address === other.address &&
    one.hops.join() === other.hops.join() &&
    one.scheme === other.scheme &&
    one.authority === other.authority;
  return same ? one : { fault: "forwarded and x-forwarded-* do not agree" };
}

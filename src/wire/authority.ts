/**
 * `host[:port]` as Host and absolute-form targets carry it (RFC 9110 section 7.2, RFC 3986 section
 * 3.2), lower-cased.
 *
 * Refuses user info, percent escapes, sub-delims, an empty host, empty labels, IPvFuture, zone ids,
 * ports that are empty, zero, padded or beyond 65535, and numeric hosts that are not four plain
 * octets (`127.1`, `0x7f.1`: resolvers read them as addresses, allow-lists as names).
 * A trailing dot is refused: `api.example.com.` is the same host to DNS and another one to a route.
 * An underscore in a label is accepted: container platforms name services so.
 */
import { formatAddress, parseAddress } from "./address.ts";

export interface Authority {
  /** Lower-case name or IPv4 address; an IPv6 literal in brackets, written as RFC 5952 says. */
  readonly host: string;
  /** 1 to 65535, or undefined when none was given. */
  readonly port: number | undefined;
  /** `host` or `host:port`: the canonical text. */
  readonly text: string;
}

const LIMITS = {
  /** RFC 1035 section 2.3.4, without the trailing dot. */
  nameLength: 253,
  /** `[…]:65535`, or a whole name and its port; longer text is not looked at. */
  textLength: 260,
  /** Parsed authorities that are remembered: a server has few names, and parsing one costs 0.3 us. */
  remembered: 256,
} as const;

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
/** WHATWG URL, "ends in a number": hosts that resolvers may take for an IPv4 address. */
const NUMERIC = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const MAX_PORT = 65_535;

const remembered = new Map<string, Authority>();

/** The authority, or undefined where the text is not one. */
export function parseAuthority(text: string): Authority | undefined {
  return remembered.get(text) ?? parse(text);
}

function parse(text: string): Authority | undefined {
  if (text.length === 0 || text.length > LIMITS.textLength) return undefined;
  const lower = text.toLowerCase();
  // toLowerCase maps some characters beyond ASCII into it (U+212A); the host patterns see to the rest.
  if (lower.length !== text.length || !isAscii(text)) return undefined;
  const hostEnd = lower.startsWith("[") ? lower.indexOf("]") + 1 : endOfName(lower);
  const host = canonicalHost(lower.slice(0, hostEnd));
  if (host === undefined) return undefined;
  const port = hostEnd === lower.length ? undefined : parsePort(lower, hostEnd);
  if (port === 0) return undefined;
  const authority = Object.freeze({
    host,
    port,
    text: port === undefined ? host : `${host}:${port}`,
  });
  if (remembered.size >= LIMITS.remembered) remembered.clear();
  remembered.set(text, authority);
  return authority;
}

function endOfName(text: string): number {
  const colon = text.indexOf(":");
  return colon === -1 ? text.length : colon;
}

function canonicalHost(host: string): string | undefined {
  if (host.startsWith("[")) return canonicalLiteral(host.slice(1, -1));
  if (host.length > LIMITS.nameLength || !NAME.test(host)) return undefined;
  if (NUMERIC.test(host) && parseAddress(host) === undefined) return undefined;
  return host;
}

function canonicalLiteral(literal: string): string | undefined {
  if (!literal.includes(":")) return undefined;
  const address = parseAddress(literal);
  return address === undefined ? undefined : `[${formatAddress(address)}]`;
}

/** The port after the colon at `colonAt`; 0 where it is not one. */
function parsePort(text: string, colonAt: number): number {
  const digits = text.slice(colonAt + 1);
  if (text.charAt(colonAt) !== ":" || !PORT.test(digits)) return 0;
  const port = Number(digits);
  return port > MAX_PORT ? 0 : port;
}

function isAscii(text: string): boolean {
  return /^[!-~]*$/.test(text);
}

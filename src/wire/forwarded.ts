/**
 * What a service is told about the caller: Forwarded (RFC 7239) and its older spellings.
 *
 * They are written from the connection alone, after everything that callers sent under these names
 * was stripped (identity-fields.ts); nothing is appended to what a caller claimed. Where trusted
 * proxies in front of us said who the caller is, that is written anew, with our peer behind it.
 */
import type { ForwardedClient } from "../model/http.ts";

export interface ForwardedSource {
  /** The peer's address, normalised; IPv6 without brackets. */
  readonly address: string;
  readonly scheme: "http" | "https";
  /** The canonical authority; empty for HTTP/1.0 without Host. */
  readonly authority: string;
  /** What trusted proxies said; undefined: the peer is the caller. */
  readonly client?: ForwardedClient | undefined;
}

/** Names and values to set: `forwarded`, `x-forwarded-for`, `-proto` and `-host`. */
export function forwardedFields(source: ForwardedSource): string[] {
  const { address, scheme, authority, client } = source;
  if (client !== undefined) return relayedFields(source, client);
  const fields = [
    "forwarded",
    forwarded(source),
    "x-forwarded-for",
    address,
    "x-forwarded-proto",
    scheme,
  ];
  if (authority !== "") fields.push("x-forwarded-host", authority);
  return fields;
}

/** The caller first, then each hop; what the caller asked for where it was said, else what we were asked. */
function relayedFields(source: ForwardedSource, client: ForwardedClient): string[] {
  const { address, hops } = client;
  const scheme = client.scheme ?? source.scheme;
  const authority = client.authority ?? source.authority;
  const chain = address === undefined ? [source.address] : [address, ...hops, source.address];
  const [first = "", ...others] = chain;
  const asked = forwarded({ address: first, scheme, authority });
  const last = others.pop();
  const elements = [asked, ...others.map((hop) => `for=${nodeOf(hop)}`)];
  if (last !== undefined) elements.push(forwarded({ ...source, address: last }));
  const fields = [
    "forwarded",
    elements.join(", "),
    "x-forwarded-for",
    chain.join(", "),
    "x-forwarded-proto",
    scheme,
  ];
  if (authority !== "") fields.push("x-forwarded-host", authority);
  return fields;
}

/** Section 4: values that are not tokens are quoted, IPv6 addresses bracketed and quoted (section 6). */
function forwarded(source: ForwardedSource): string {
  const { address, scheme, authority } = source;
  const host = authority === "" ? "" : `;host=${quoted(authority)}`;
  return `for=${nodeOf(address)}${host};proto=${scheme}`;
}

function nodeOf(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address;
}

/** A canonical authority holds no quote and no backslash; only a port or an IPv6 literal needs quotes. */
function quoted(authority: string): string {
  return authority.includes(":") ? `"${authority}"` : authority;
}

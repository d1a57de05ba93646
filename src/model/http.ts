/**
 * The shapes of HTTP messages that wire, http, gate and proxy share. Whatever version a request
 * came in, this is what the rest of the house sees.
 */
import type { PeerTls } from "./peer-tls.ts";
import type { Reason } from "./reason.ts";

/**
 * Header or trailer fields as a flat list: name, value, name, value, …
 *
 * Names are lower-case tokens (RFC 9110 section 5.1), values have no surrounding white space and no
 * control byte but HTAB; obs-text bytes stand as latin1 characters. Order is as received.
 * Flat because a request has some ten fields and two allocations for each would be the largest cost
 * of the head (measured in bench/).
 */
export type Fields = readonly string[];

/** How a body is delimited (RFC 9112 section 6). */
export type BodyKind = "none" | "length" | "chunked" | "until-close";

/** A request head that passed a strict parser (RFC 9112, RFC 9113 section 8). */
export interface RequestHead {
  /** The version that it came in. */
  readonly version: "1.0" | "1.1" | "2";
  /** Case-sensitive token, e.g. `GET`. */
  readonly method: string;
  /** Request target as received: visible ASCII, not canonical. */
  readonly target: string;
  /** 0 for HTTP/1.0; 1 for HTTP/1.1 and for HTTP/2, whose heads mean the same. */
  readonly minorVersion: 0 | 1;
  readonly fields: Fields;
  /** The one Host value (HTTP/2: `:authority`); undefined only for HTTP/1.0 without one. */
  readonly host: string | undefined;
  /** The Authorization value; the first one if there are several. */
  readonly authorization: string | undefined;
  /** How many Authorization fields there were. More than one is refused by the gate. */
  readonly authorizationCount: number;
  readonly bodyKind: "none" | "length" | "chunked";
  /** Bytes; 0 unless `bodyKind` is `length`. */
  readonly contentLength: number;
  /** Whether the connection may carry another request. */
  readonly keepAlive: boolean;
  /** Whether `Expect: 100-continue` was sent. */
  readonly expectContinue: boolean;
  /** Lower-case field names that `Connection` lists (without `close` and `keep-alive`); undefined if none. */
  readonly connectionOptions: readonly string[] | undefined;
  /** The Upgrade value, or undefined. */
  readonly upgrade: string | undefined;
}

/** A response head of a service that passed a strict parser. */
export interface ResponseHead {
  readonly status: number;
  readonly minorVersion: 0 | 1;
  readonly fields: Fields;
  readonly bodyKind: BodyKind;
  /** Bytes; 0 unless `bodyKind` is `length`. For HEAD and 304: what the field said, or -1. */
  readonly contentLength: number;
  readonly keepAlive: boolean;
  readonly connectionOptions: readonly string[] | undefined;
}

/** The other end of a connection. */
export interface Peer {
  /** IPv4 or IPv6 text; an IPv4-mapped address is written as IPv4. */
  readonly address: string;
  readonly port: number;
  /** Where the connection really came from, when a balancer named the peer in a PROXY header. */
  readonly balancer?: { readonly address: string; readonly port: number } | undefined;
  /** Where the listener asks callers for certificates, and this one sent one or owes one. */
  readonly tls?: PeerTls | undefined;
}

/** What trusted proxies in front of us said about a request; read by wire/forwarded-client.ts. */
export interface ForwardedClient {
  /** The caller's address, normalised; undefined: none was said, so it is the peer's. */
  readonly address: string | undefined;
  /** Addresses of the trusted proxies between the caller and our peer, the caller's first. */
  readonly hops: readonly string[];
  /** Of the request that the caller sent; undefined where nothing was said. */
  readonly scheme: "http" | "https" | undefined;
  /** Canonical `host[:port]` that the caller asked for; undefined where nothing was said. */
  readonly authority: string | undefined;
}

/** Whether an address (IPv4 or IPv6 text) is that of a proxy whose word about callers counts. */
export type TrustProxy = (address: string) => boolean;

/**
 * The one request that router, policy, audit and forwarder read (design: canonicalise once).
 * Nothing that decides reads the request line as received.
 */
export interface CanonicalRequest {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Lower-case host without port; an IPv6 literal keeps its brackets. Empty for HTTP/1.0 without Host. */
  readonly host: string;
  /** Host with port as the caller sent it, lower-cased. */
  readonly authority: string;
  /** Canonical and still percent-encoded; begins with `/`. */
  readonly path: string;
  /** Raw query without the `?`; undefined when there was none. */
  readonly query: string | undefined;
  readonly head: RequestHead;
  readonly peer: Peer;
  /** The address that asks, as far as it is believed: the peer's, or whom a trusted proxy names. */
  readonly clientAddress: string;
  /** What a trusted proxy said; undefined from anybody else. Never used for routing. */
  readonly forwarded: ForwardedClient | undefined;
  /** Name of the listener. */
  readonly listener: string;
}

/** A request body that was read before it was known whether the request goes on. */
export interface HeldBody {
  /** What goes on, to the byte, if it does. Not to be written to. */
  readonly bytes: Uint8Array;
  /** To be called where it does not. */
  release(): void;
}

/** Why there is no such body. */
export interface BodyFault {
  readonly fault: Reason;
  /** For the operator; holds nothing of the body. */
  readonly detail: string;
}

/** Reads the whole body, of at most so many bytes. To be called once; never rejects. */
export type HoldBody = (maxBytes: number) => Promise<HeldBody | BodyFault>;

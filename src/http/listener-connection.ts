/**
 * What a listener and its connections know of each other, whichever version of HTTP is spoken on them.
 */
import type { Socket } from "node:net";
import type { Peer, TrustProxy } from "../model/http.ts";
import type { Clock, Log } from "../model/ports.ts";
import type { HeadLimits } from "../wire/head-limits.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ExchangeHandler } from "./exchange.ts";
import type { Http2Limit } from "./http2/floods.ts";
import type { Http2Limits } from "./http2-options.ts";
import type { LimitHit } from "./listener-hits.ts";
import type { RequestBodyLimits } from "./request-body.ts";

/** What a caller may take of a connection. */
export interface ConnectionLimits extends HeadLimits, RequestBodyLimits {
  /** From the first byte of a head (for the first one: from the connection) to its last. */
  readonly headTimeoutMs: number;
  /** Between requests. */
  readonly idleTimeoutMs: number;
  /** From the moment that too much waits to be read until there is room again. */
  readonly readTimeoutMs: number;
  /** Bytes that may wait behind a request in flight; beyond it the socket is not read. */
  readonly maxPipelinedBytes: number;
  /** Bytes of an unread request body that are dropped to keep the connection open. */
  readonly maxDrainedBytes: number;
}

/** Who is at the other end. */
export interface Caller {
  readonly peer: Peer;
  /** Where the peer is a trusted proxy: which addresses are others. */
  readonly trust: TrustProxy | undefined;
}

/** A connection as its listener keeps track of it, whichever version of HTTP is spoken. */
export interface ListenerConnection extends Caller {
  /** Lets what is in flight be the last, while the listener still accepts. */
  announceEnd(): void;
  /** No further request: closes now if none is in flight. An upgraded connection would never end by itself. */
  drain(): void;
  destroy(): void;
}

/** What the connections of a listener share. */
export interface ConnectionContext {
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly handler: ExchangeHandler;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly log: Log;
  /** True once the listener is closing: each answer is then the last on its connection. */
  readonly draining: boolean;
  /** The `date` of now. */
  date(): string;
  /** A limit struck. */
  readonly hit: LimitHit;
  /** The connection with this peer ended because of a flood. */
  flooded(peer: Peer, limit: Http2Limit): void;
  /** What HTTP/2 connections may take; undefined where it is not spoken. */
  readonly http2: Http2Limits | undefined;
  /** HTTP/2 was spoken from the first byte on; `first` has all that was read. */
  handOver(connection: ListenerConnection, socket: Socket, first: Buffer): void;
  /** The connection has ended. */
  ended(connection: ListenerConnection): void;
}

/**
 * What a protocol engine (HTTP/1.1 here, HTTP/2 beside it) offers to the handler of a request, and
 * what the handler hands to an upstream. The engine moves the bytes; the handler decides.
 */
import type {
  BodyKind,
  Fields,
  Peer,
  RequestHead,
  ResponseHead,
  TrustProxy,
} from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import type { AttemptSpans } from "../telemetry/traces/attempt-spans.ts";
import type { TunnelPipe, TunnelSide } from "./tunnel.ts";

/** A client connection, for as long as it lasts. */
export interface ClientConnection {
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly peer: Peer;
  /** Where the peer is a trusted proxy: which addresses are others. Else undefined. */
  readonly trust: TrustProxy | undefined;
  /** One slot for the handler, e.g. the facts of the last credential seen here. Gone with the connection. */
  memo: unknown;
}

/** One request and the way to answer it. Exactly one of `reply` and `Upstream.forward` ends it. */
export interface Exchange {
  readonly head: RequestHead;
  readonly connection: ClientConnection;
  /** Monotonic milliseconds at which the head was complete. */
  readonly receivedAt: number;
  /**
   * Answers with a whole body. Writes framing, `date` and `connection` itself. What is left of the
   * request body is drained up to a bound, beyond it the connection closes after the answer.
   * `close` closes the connection after the answer in any case.
   */
  reply(status: number, fields: Fields, body: string, options?: { readonly close?: boolean }): void;
  /** True once the caller is gone: nothing more can be answered. */
  readonly gone: boolean;
  /**
   * Called once when the exchange is over: its answer has ended, or the caller is gone. To be set
   * while `gone` is false; it must not throw.
   */
  whenOver: (() => void) | undefined;
  /** One slot for the handler: who answers it. Gone with the exchange. */
  owner: unknown;
  /** What `Upstream.forward` moves the bytes through. The handler leaves it alone. */
  readonly stream: ExchangeStream;
}

/** Both bodies of an exchange. Used by exactly one forwarder, from `attach` until `end` or `abort`. */
export interface ExchangeStream {
  /** From now on the reader hears of the caller's going. To be called first, and once. */
  attach(reader: BodyReader): void;
  /**
   * Starts to deliver the request body, of at most `maxBytes`, and answers `Expect: 100-continue`.
   * `bodyEnd` comes also where there is no body. May call the reader before it returns. `unpaced`:
   * where the protocol has other bounds (HTTP/2), the caller need not keep up a rate.
   */
  read(maxBytes: number, options?: { readonly unpaced: boolean }): void;
  /** Stops and starts delivery: back-pressure towards the caller. At most a few chunks still come. */
  pause(): void;
  resume(): void;
  /** Whether the whole request body has been delivered. */
  readonly bodyDone: boolean;
  /** The response head. Framing, `connection` and a missing `date` are written here. */
  begin(status: number, fields: Fields, body: ResponseBody): void;
  /**
   * Response body bytes, without framing. The buffer is no longer the caller's: its memory is given
   * back once it is sent. False: wait for `BodyReader.drained` before more.
   */
  write(bytes: Buffer): boolean;
  /** Sends what `begin` and `write` still hold together. To be called when no more is at hand. */
  flush(): void;
  /** The response is complete. Trailers go out only where the framing can carry them. */
  end(trailers: Fields | undefined): void;
  /** Takes back an answer of which no byte has gone out, so that `reply` can give another. */
  retract(): boolean;
  /**
   * Destroys the connection, or the stream, so that the caller sees that the answer is cut short.
   * `cancelled`: because the service cancelled it; a caller over HTTP/2 is told the same.
   */
  abort(cancelled?: boolean): void;
  /**
   * Answers 101 to an upgrade that the service has taken; from then on the connection is the
   * tunnel's. Undefined: the caller is gone. The reader hears nothing more.
   */
  upgrade(fields: Fields, side: TunnelSide): TunnelPipe | undefined;
}

/** How the response body comes in; the engine chooses how it goes out to this caller. */
export interface ResponseBody {
  readonly bodyKind: BodyKind;
  /** Bytes; for HEAD and 304 what the service said, or -1. */
  readonly contentLength: number;
}

/** What a forwarder hears from the caller's side. */
export interface BodyReader {
  /** Request body bytes, without framing. The buffer is the reader's to keep. */
  bodyChunk(bytes: Buffer): void;
  /** No more is at hand for now: what was gathered should be sent. Until `bodyEnd` it follows every `read`. */
  bodyIdle(): void;
  /** The body is complete; undefined where its framing has no trailers. */
  bodyEnd(trailers: Fields | undefined): void;
  /** The request body is malformed, too large or too slow; no more of it comes. An answer can still be given. */
  bodyFault(reason: Reason, detail: string): void;
  /** After `write` returned false: the caller took it. */
  drained(): void;
  /** The caller closed or reset the connection. Nothing can be answered any more. */
  callerGone(): void;
}

/** Handles what a listener receives. Neither verb may throw; the engine answers 500 and closes if one does. */
export interface ExchangeHandler {
  /** A well-formed request. */
  request(exchange: Exchange): void;
  /**
   * Bytes that are not a well-formed request, or a limit that was passed before there was a head.
   * Returns the answer to send before the connection is closed.
   */
  malformed(fault: MalformedRequest): { readonly fields: Fields; readonly body: string };
}

export interface MalformedRequest {
  readonly connection: ClientConnection;
  readonly reason: Reason;
  /** For the operator: what rule was broken. Holds no field value. */
  readonly detail: string;
}

/** What proves to the service who sends, where that is ours to say and not the caller's (the sidecar). */
export interface SentCredentials {
  /** Made anew each time that the request is written: a proof holds once. */
  fields(): Fields;
  /**
   * The service answered 401, and nothing of that has gone out. Undefined: it is the answer. Else it is let
   * go; once it resolves, the request is written again, or fails for the reason given. Never rejects. It is
   * asked as often as 401 comes, so it has to have an end.
   */
  refused(answer: ResponseHead): Promise<Reason | undefined> | undefined;
}

/** A request as it goes to the service. Framing (`content-length`, `transfer-encoding`, `connection`) is the engine's, from the parsed state. */
export interface UpstreamRequest {
  readonly method: string;
  /** Origin-form target, canonical. */
  readonly target: string;
  /** Already dropped, stripped and set; includes `host`; without hop-by-hop and framing fields. */
  readonly fields: Fields;
  /** Fields beside those, of names that are not among them. Left out: there are none. */
  readonly credentials?: SentCredentials | undefined;
  readonly connectTimeoutMs: number;
  /**
   * How long the caller itself waits, from its head on: whatever else bounds the exchange, and as long
   * as it may stream. Left out: it has not said so.
   */
  readonly deadlineMs?: number | undefined;
  /** From the end of the request (or its head, for streaming ones) to the response head. */
  readonly responseTimeoutMs: number;
  /** For the whole exchange. */
  readonly totalTimeoutMs: number;
  /** No byte in either direction for this long ends it. */
  readonly idleTimeoutMs: number;
  /** Most bytes of request body; beyond it `body-too-large`. */
  readonly maxBodyBytes: number;
  /** Which trailers go on, each way; undefined: what the service takes and gives in general. */
  readonly requestTrailers?: ((trailers: Fields) => Fields) | undefined;
  readonly responseTrailers?: ((trailers: Fields) => Fields) | undefined;
  /** What requests of one kind share, so that they reach the same endpoint (consistent hashing). */
  readonly hashKey?: string | undefined;
  /** The Sec-WebSocket-Key of a request that asks for a WebSocket and may have one. */
  readonly websocketKey?: string | undefined;
  /**
   * How long the answer may stream, or an upgraded connection live, from the request on: once the
   * head of the answer has come it stands in for `totalTimeoutMs`. Left out: an answer has
   * `totalTimeoutMs` to its last byte, an upgraded connection has no such bound.
   */
  readonly lifetimeMs?: number | undefined;
  /** Where a trace is recorded: told of each attempt, and what the service gets of it. `fields` hold none then. */
  readonly spans?: AttemptSpans | undefined;
}

/** How a forwarded exchange went. */
export interface ForwardOutcome {
  readonly upstream: string | undefined;
  /** Status sent to the caller; 0 when none was. */
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly upstreamMs: number | undefined;
  readonly end: "complete" | Reason;
  /** For the operator: what went wrong, when something did. Holds no value of a field or body. */
  readonly detail: string | undefined;
}

/** The handler's view while an exchange is forwarded. */
export interface ForwardObserver {
  /** The response fields to send to the caller, made from the service's (hop-by-hop and framing already dropped). May throw: then the answer is a 500. */
  responseFields(status: number, fields: Fields): Fields;
  /** No response head was sent yet and the exchange failed: the problem answer to send instead. */
  fault(reason: Reason): {
    readonly status: number;
    readonly fields: Fields;
    readonly body: string;
  };
  /** The trailers that the caller is about to get, where the service sent any. */
  responseTrailers?(fields: Fields): void;
  /**
   * The answer has begun and the exchange failed: trailers by which this caller sees that it is not
   * whole. Left out, or undefined: it sees its stream or connection cut.
   */
  cutShort?(reason: Reason): Fields | undefined;
  /** Exactly once, when the last byte is written or the exchange is given up. */
  done(outcome: ForwardOutcome): void;
}

/** An exchange that is being forwarded. */
export interface Forwarded {
  /** Status sent to the caller; 0 while none was. */
  readonly status: number;
  /** Ends it from our side: a tunnel with a Close frame, an answer by cutting it off. */
  cancel(reason: Reason, detail: string): void;
}

/** The endpoints of one service. */
export interface Upstream {
  /** Sends the request with the exchange's body to an endpoint and its answer to the caller. */
  forward(exchange: Exchange, request: UpstreamRequest, observer: ForwardObserver): Forwarded;
  /**
   * Begins to look after its endpoints: names are resolved, health is checked. Resolves when the first
   * answers of names are there or too long in coming; never rejects. More than once does no more.
   */
  start(): Promise<void>;
  /** Closes idle connections now and the others as they end. */
  close(): void;
}

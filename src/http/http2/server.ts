/**
 * One HTTP/2 server connection: makes an exchange of each stream that the caller opens and hands it to
 * the same handler as HTTP/1.1 does. Requests of one connection are handled side by side.
 *
 * It refuses, on the stream alone, what is not a request (400 through the handler, as HTTP/1.1) and
 * streams beyond the limit (REFUSED_STREAM: the caller may send them again). A request that its caller
 * has reset keeps its place for as long as something works on it.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Peer, TrustProxy } from "../../model/http.ts";
import { type Reason, reasonInfo } from "../../model/reason.ts";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { isHpackFault } from "../../wire/http2/hpack-decoder.ts";
import {
  isHeadFault,
  readRequestFields,
  type RequestRules,
} from "../../wire/http2/request-fields.ts";
import { RequestMemo } from "../../wire/http2/request-memo.ts";
import { responseFields } from "../../wire/http2/write-fields.ts";
import { NEVER } from "../deadlines.ts";
import { asError } from "../invariant.ts";
import type { Http2Limits } from "../http2-options.ts";
import type { ListenerLimit } from "../listener-hits.ts";
import type { Caller, ConnectionContext, ListenerConnection } from "../listener-connection.ts";
import { Http2Connection, type Http2End } from "./connection.ts";
import type { Http2Limit } from "./floods.ts";
import type { RequestBodyDeps } from "./request-body.ts";
import { type ExchangeHost, Http2ServerExchange } from "./server-exchange.ts";
import type { Http2Stream, Section } from "./stream.ts";
import type { StreamPipe } from "./stream-pipe.ts";

const LIMITS = {
  /** Bytes of the decoder's table: what the protocol starts with, and enough for what callers repeat. */
  tableBytes: 4096,
} as const;

/** The limits that a head can break, by the reason with which it is refused. */
const HEAD_LIMITS: Readonly<Partial<Record<Reason, ListenerLimit>>> = {
  "head-too-large": "headBytes",
  "uri-too-long": "targetBytes",
};

export class Http2ServerConnection implements ExchangeHost, Http2End, ListenerConnection {
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly peer: Peer;
  readonly trust: TrustProxy | undefined;
  memo: unknown = undefined;
  readonly lingering = new Set<Http2ServerExchange>();
  readonly body: RequestBodyDeps;
  readonly readTimeoutMs: number;
  readonly #context: ConnectionContext;
  readonly #maxStreams: number;
  readonly #rules: RequestRules;
  readonly #core: Http2Connection;
  readonly #tunnels = new Set<StreamPipe>();
  /** Whether the caller's SETTINGS have come. */
  #greeted = false;

  constructor(socket: Socket, caller: Caller, context: ConnectionContext, options: Http2Limits) {
    const { limits, deadlines, log, hit } = context;
    this.listener = context.listener;
    this.scheme = context.scheme;
    this.peer = caller.peer;
    this.trust = caller.trust;
    this.#context = context;
    this.#maxStreams = options.maxStreams;
    this.body = { limits, deadlines, hit };
    this.readTimeoutMs = limits.readTimeoutMs;
    const { maxHeadBytes, maxTargetBytes, maxFields } = limits;
    const memo = new RequestMemo();
    this.#rules = { maxHeadBytes, maxTargetBytes, maxFields, newWebsocketKey, memo };
    this.#core = new Http2Connection(socket, this, {
      side: "server",
      own: {
        maxStreams: options.maxStreams,
        streamWindow: options.streamWindow,
        maxTableBytes: LIMITS.tableBytes,
        maxListBytes: maxHeadBytes,
        connectProtocol: true,
      },
      maxFields,
      readTimeoutMs: limits.readTimeoutMs,
      headTimeoutMs: limits.headTimeoutMs,
      deadlines,
      log,
      hit: (limit) => this.#struck(limit),
    });
    this.#core.restBy = deadlines.coarseNow + limits.headTimeoutMs;
  }

  /** `first`: what was read of the connection already, from its first byte on. */
  start(first: Buffer | undefined): void {
    this.#core.start();
    if (first !== undefined) this.#core.received(first);
  }

  #struck(limit: Http2Limit | "readTimeout" | "headTimeout"): void {
    this.#context.hit(limit);
    // Slow callers are no news; a flood is, and whoever looks into it asks first whose it was.
    if (limit !== "readTimeout" && limit !== "headTimeout") this.#context.flooded(this.peer, limit);
  }

  // ListenerConnection

  announceEnd(): void {
    this.#core.drain();
  }

  /** Streams that were upgraded would never end by themselves. */
  drain(): void {
    this.#core.drain();
    for (const tunnel of this.#tunnels) tunnel.draining();
  }

  destroy(): void {
    this.#core.destroy();
  }

  // ExchangeHost

  date(): string {
    return this.#context.date();
  }

  provoked(): void {
    this.#core.provoked();
  }

  tunnelOpened(pipe: StreamPipe): void {
    this.#tunnels.add(pipe);
    if (this.#context.draining) setImmediate(() => pipe.draining());
  }

  tunnelClosed(pipe: StreamPipe): void {
    this.#tunnels.delete(pipe);
  }

  // Http2End

  opened(stream: Http2Stream, section: Section, endStream: boolean): void {
    this.#core.restBy = NEVER;
    // Not before: who is told to go away before it could ask anything comes back at once.
    if (this.#context.draining) this.#core.drain();
    if (this.#core.size + this.lingering.size > this.#maxStreams) {
      this.#context.hit("http2Streams");
      stream.reset(H2_ERROR.refusedStream);
      this.#core.provoked();
      return;
    }
    if (isHpackFault(section)) {
      this.#refuse(stream, "head-too-large", section.detail);
      return;
    }
    const request = readRequestFields(section, endStream, this.#rules);
    if (isHeadFault(request)) {
      this.#refuse(stream, request.reason, request.detail);
      return;
    }
    const { head } = request;
    const now = this.#context.clock.monotonic();
    this.#handle(new Http2ServerExchange(this, { stream, head, now }));
  }

  settingsReceived(): void {
    // The first ones alone: others would keep a connection that never asks for anything.
    if (this.#greeted) return;
    this.#greeted = true;
    if (this.#core.size === 0) this.#rest();
  }

  goawayReceived(): void {
    // The caller takes no streams of ours; there are none.
  }

  streamClosed(): void {
    if (this.#core.size === 0) this.#rest();
  }

  /** Nothing was asked for too long. */
  expired(): void {
    if (!this.#greeted) this.#context.hit("headTimeout");
    this.#core.finish();
  }

  closing(): void {}

  ended(): void {
    for (const exchange of this.lingering) exchange.expired();
    this.#context.ended(this);
  }

  #rest(): void {
    this.#core.restBy = this.#context.deadlines.coarseNow + this.#context.limits.idleTimeoutMs;
  }

  #handle(exchange: Http2ServerExchange): void {
    try {
      this.#context.handler.request(exchange);
    } catch (error) {
      this.#context.log.error("the request handler threw", { error: asError(error) });
      if (exchange.answering) exchange.abort();
      else this.#answerDefect(exchange);
    }
  }

  #answerDefect(exchange: Http2ServerExchange): void {
    const reason = "internal-error";
    const detail = "the request handler threw";
    const { fields, body } = this.#context.handler.malformed({ connection: this, reason, detail });
    exchange.reply(reasonInfo(reason).status, fields, body);
  }

  /** Answers what is not a request. */
  #refuse(stream: Http2Stream, reason: Reason, detail: string): void {
    const limit = HEAD_LIMITS[reason];
    if (limit !== undefined) this.#context.hit(limit);
    const answer = this.#context.handler.malformed({ connection: this, reason, detail });
    const body = Buffer.from(answer.body, "utf8");
    const fields = [...answer.fields, "date", this.#context.date()];
    stream.discard();
    stream.begin(responseFields(reasonInfo(reason).status, fields, body.length));
    stream.write(body);
    stream.end(undefined);
    // Who leaves no room for it is not waited for.
    if (!stream.localEnded) stream.reset(H2_ERROR.protocolError);
    this.#core.provoked();
  }
}

function newWebsocketKey(): string {
  return randomBytes(16).toString("base64");
}

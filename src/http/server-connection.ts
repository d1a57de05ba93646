/**
 * One HTTP/1.1 server connection: reads heads, hands each request to the handler, answers in order.
 *
 * One request is in flight at a time; what a caller pipelines behind it waits, within a bound, until
 * the answer before it is complete. A connection that cannot carry another request is closed in two
 * steps (RFC 9112 section 9.6), so that the answer is not lost to a reset.
 *
 * A caller that closes its side while a request is being handled is gone, and so is its request:
 * nothing tells a half-closed connection from a closed one, and work for nobody is worse than a
 * client that must keep its side open until it has its answer.
 */
import type { Socket } from "node:net";
import type { Peer, TrustProxy } from "../model/http.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import {
  findHeadEnd,
  type HeadLimits,
  isHeadFault,
  parseRequestHead,
} from "../wire/http1/request-head.ts";
import { SectionMemo } from "../wire/http1/section-memo.ts";
import { PREFACE } from "../wire/http2/codes.ts";
import { writeResponseHead } from "../wire/http1/write-head.ts";
import { type Expirable, NEVER } from "./deadlines.ts";
import { readDirectly } from "./direct-read.ts";
import type { Caller, ConnectionContext, ListenerConnection } from "./listener-connection.ts";
import type { ListenerLimit } from "./listener-hits.ts";
import { InputBuffer } from "./input-buffer.ts";
import { asError, invariant } from "./invariant.ts";
import { MessageWriter } from "./message-writer.ts";
import { RequestBody } from "./request-body.ts";
import { type ExchangeHost, ServerExchange } from "./server-exchange.ts";
import { SocketPipe, type TunnelPipe, type TunnelSide } from "./tunnel.ts";

const LIMITS = {
  /** How long a closing connection waits for the caller to close too once the answer is sent, as nginx does by default. */
  lingerMs: 5000,
  /** What a closing connection drops of what the caller goes on sending; then it is reset. */
  lingerBytes: 1024 * 1024,
} as const;

/** The limits that a head can break, by the reason with which it is refused. */
const HEAD_LIMITS: Readonly<Partial<Record<Reason, ListenerLimit>>> = {
  "head-too-large": "headBytes",
  "uri-too-long": "targetBytes",
  "request-timeout": "headTimeout",
};

/**
 * `head`: between requests or within a head. `busy`: a request is in flight. `drain`: its answer is
 * complete, the rest of its body is dropped. `tunnel`: it was upgraded. `linger`: our side is
 * closed. `closed`: all is over.
 */
type Phase = "head" | "busy" | "drain" | "tunnel" | "linger" | "closed";

/** What is listened to, by the names of the events. */
interface SocketEvents {
  readonly data: (chunk: Buffer) => void;
  readonly drain: () => void;
  readonly end: () => void;
  readonly error: () => void;
  readonly close: () => void;
}

export class ServerConnection implements ExchangeHost, Expirable, ListenerConnection {
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly peer: Peer;
  readonly trust: TrustProxy | undefined;
  memo: unknown = undefined;
  readonly writer: MessageWriter;
  readonly body: RequestBody;
  readonly #context: ConnectionContext;
  readonly #socket: Socket;
  readonly #headLimits: HeadLimits & { readonly memo: SectionMemo };
  readonly #input = new InputBuffer();
  readonly #events: SocketEvents;
  #phase: Phase = "head";
  #exchange: ServerExchange | undefined;
  /** Who has the bytes once the connection was upgraded. */
  #side: TunnelSide | undefined;
  /** Bytes of the input in which the end of a head was looked for. */
  #searched = 0;
  #headBegun = true;
  #deadline = NEVER;
  /** When a caller that does not read its answer is cut off. */
  #readBy = NEVER;
  #paused = false;
  #advancing = false;
  /** Bytes that may still be dropped in `drain` and `linger`. */
  #droppable = 0;
  /** Whether HTTP/2 may still begin here: nothing but its preface was read. */
  #mayBeHttp2: boolean;

  constructor(socket: Socket, caller: Caller, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.listener = context.listener;
    this.scheme = context.scheme;
    this.peer = caller.peer;
    this.trust = caller.trust;
    const { maxHeadBytes, maxTargetBytes, maxFields } = context.limits;
    this.#headLimits = { maxHeadBytes, maxTargetBytes, maxFields, memo: new SectionMemo() };
    this.writer = new MessageWriter(socket);
    this.body = new RequestBody(context.limits, context.deadlines, context.hit);
    // Within TLS it is agreed on in the handshake, and nowhere else (RFC 9113 section 3.2).
    this.#mayBeHttp2 = context.http2 !== undefined && context.scheme === "http";
    context.deadlines.add(this);
    this.#deadline = context.deadlines.coarseNow + context.limits.headTimeoutMs;
    this.#events = {
      data: (chunk) => this.#received(chunk),
      drain: () => this.#drained(),
      end: () => this.#finished(),
      // What the error was does not matter: `close` follows, and the caller is gone.
      error: ignore,
      close: () => this.#closed(),
    };
    readDirectly(socket, this.#events.data);
    socket.on("drain", this.#events.drain);
    socket.on("end", this.#events.end);
    socket.on("error", this.#events.error);
    socket.on("close", this.#events.close);
  }

  // Expirable

  get expiresAt(): number {
    return this.#phase === "busy" ? Math.min(this.body.deadline, this.#readBy) : this.#deadline;
  }

  get owner(): unknown {
    return this.#exchange?.owner;
  }

  expired(): void {
    this.#guarded(() => this.#expire());
  }

  // ExchangeHost

  get persistent(): boolean {
    return !this.#context.draining;
  }

  get drainBytes(): number {
    return this.#context.limits.maxDrainedBytes;
  }

  date(): string {
    return this.#context.date();
  }

  stalled(): void {
    if (this.#readBy !== NEVER) return;
    const { deadlines, limits } = this.#context;
    this.#readBy = deadlines.coarseNow + limits.readTimeoutMs;
  }

  bodyWanted(): void {
    this.#advance();
  }

  answered(close: boolean): void {
    this.#exchange = undefined;
    this.#readBy = NEVER;
    this.body.detach();
    if (close) this.#linger();
    else if (this.body.done) this.#awaitHead();
    else {
      this.#phase = "drain";
      this.#droppable = this.#context.limits.maxDrainedBytes;
      this.#deadline = this.#context.deadlines.coarseNow + this.#context.limits.bodyTimeoutMs;
    }
    this.#advance();
  }

  tunnel(side: TunnelSide): TunnelPipe {
    invariant(this.#phase === "busy", "an upgrade without its request");
    const rest = this.#input.bytes.subarray(this.#input.start);
    this.#input.clear();
    this.body.detach();
    this.writer.flush();
    this.#phase = "tunnel";
    this.#deadline = NEVER;
    this.#side = side;
    if (this.#paused) this.#socket.resume();
    this.#paused = false;
    if (this.#context.draining) setImmediate(() => this.drain());
    return new SocketPipe(this.#socket, rest, () => {
      this.#side = undefined;
      this.#exchange?.drop();
      this.#exchange = undefined;
      this.#socket.resume();
      this.#linger();
    });
  }

  destroy(): void {
    this.#socket.destroy();
    this.#closed();
  }

  // Listener

  announceEnd(): void {
    // Each answer says so from now on (`persistent`).
  }

  drain(): void {
    if (this.#side !== undefined) this.#guarded(() => this.#side?.draining());
    else if (this.#phase === "head" && this.#input.length === 0) this.#linger();
  }

  // Events of the socket

  #received(chunk: Buffer): void {
    if (this.#side !== undefined) {
      this.#guarded(() => this.#side?.data(chunk));
      return;
    }
    this.#input.append(chunk);
    this.#advance();
  }

  #drained(): void {
    this.#readBy = NEVER;
    if (this.#side !== undefined) this.#guarded(() => this.#side?.drained());
    else this.#guarded(() => this.body.reader?.drained());
    this.#advance();
  }

  #finished(): void {
    if (this.#side !== undefined) this.#guarded(() => this.#side?.ended());
    else if (this.#phase === "head") this.#linger();
    else if (this.#phase === "busy" || this.#phase === "drain") this.destroy();
    // In `linger` both sides are closed now and `close` follows.
  }

  #closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#input.clear();
    this.#context.deadlines.delete(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.drop();
    const reader = this.body.detach();
    this.#guarded(() => reader?.callerGone());
    const side = this.#side;
    this.#side = undefined;
    this.#guarded(() => side?.gone());
    this.#context.ended(this);
  }

  #expire(): void {
    const { hit, deadlines } = this.#context;
    if (this.#phase === "busy" && this.#readBy <= deadlines.coarseNow) {
      hit("readTimeout");
      this.destroy();
    } else if (this.#phase === "busy") {
      this.body.fault("request-timeout", "the body came slower than the limit");
    } else if (this.#phase === "head" && this.#input.length > 0) {
      this.#refuse("request-timeout", "the head took longer than the limit");
    } else if (this.#phase === "head") {
      // A connection on which nothing was ever sent; between requests it is no fault to rest.
      if (this.#headBegun) hit("headTimeout");
      this.#linger();
    } else {
      if (this.#phase === "linger" && this.writer.unread) hit("readTimeout");
      this.destroy();
    }
  }

  // The state machine

  /** Takes what the input holds. An answer given meanwhile comes back to this loop, not into it. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#defect(error);
    } finally {
      this.#advancing = false;
    }
    this.#pace();
  }

  /** One step; false when it needs more input or somebody else's move. */
  #step(): boolean {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "busy":
        return this.#readBody();
      case "drain":
        return this.#dropBody();
      case "linger":
        return this.#dropInput();
      case "tunnel":
      case "closed":
        break;
    }
    return false;
  }

  #readHead(): boolean {
    const input = this.#input;
    // Who pipelines and does not read its answers is not asked for more: they would pile up here.
    if (input.length === 0 || this.writer.congested) return false;
    if (this.#mayBeHttp2 && this.#isHttp2()) return false;
    const { clock } = this.#context;
    const end = findHeadEnd(input.bytes, input.start, input.start + this.#searched);
    if (end === -1) return this.#awaitRest();
    const head = parseRequestHead(input.bytes, input.start, end, this.#headLimits);
    if (isHeadFault(head)) return this.#refuse(head.reason, head.detail);
    input.take(end);
    this.body.start(head);
    this.#phase = "busy";
    const exchange = new ServerExchange(this, head, clock.monotonic());
    this.#exchange = exchange;
    this.#handle(exchange);
    return true;
  }

  /** Prior knowledge (RFC 9113 section 3.3): the first bytes decide. True also while they may become a preface. */
  #isHttp2(): boolean {
    const { bytes, start, length } = this.#input;
    const compared = Math.min(length, PREFACE.length);
    if (bytes.compare(PREFACE, 0, compared, start, start + compared) !== 0) {
      this.#mayBeHttp2 = false;
      return false;
    }
    if (compared < PREFACE.length) this.#awaitRest();
    else this.#handOver(bytes.subarray(start));
    return true;
  }

  #handOver(first: Buffer): void {
    const socket = this.#socket;
    this.#phase = "closed";
    this.#input.clear();
    this.#context.deadlines.delete(this);
    socket.off("data", this.#events.data);
    socket.off("drain", this.#events.drain);
    socket.off("end", this.#events.end);
    socket.off("error", this.#events.error);
    socket.off("close", this.#events.close);
    this.#context.handOver(this, socket, first);
  }

  #awaitRest(): boolean {
    const { limits, deadlines } = this.#context;
    const input = this.#input;
    if (input.length > limits.maxHeadBytes) {
      return this.#refuse("head-too-large", "the head has more bytes than the limit");
    }
    this.#searched = input.length;
    if (!this.#headBegun) {
      this.#headBegun = true;
      this.#deadline = deadlines.coarseNow + limits.headTimeoutMs;
    }
    return false;
  }

  #handle(exchange: ServerExchange): void {
    try {
      this.#context.handler.request(exchange);
    } catch (error) {
      this.#context.log.error("the request handler threw", { error: asError(error) });
      if (exchange.answering) exchange.abort();
      else if (!exchange.gone) this.#refuse("internal-error", "the request handler threw");
    }
  }

  #readBody(): boolean {
    if (!this.body.wanted) return false;
    if (this.#input.length > 0) {
      this.body.feed(this.#input);
      return true;
    }
    this.body.idle();
    return false;
  }

  #dropBody(): boolean {
    const before = this.#input.length;
    if (!this.body.discard(this.#input)) this.#linger();
    else if (this.body.done) this.#awaitHead();
    else {
      this.#droppable -= before;
      if (this.#droppable < 0) this.#linger();
      return false;
    }
    return true;
  }

  #dropInput(): boolean {
    this.#droppable -= this.#input.length;
    this.#input.clear();
    if (this.#droppable < 0) this.destroy();
    return false;
  }

  #awaitHead(): void {
    const { limits, deadlines, draining } = this.#context;
    if (draining) {
      this.#linger();
      return;
    }
    this.#phase = "head";
    this.#searched = 0;
    this.#headBegun = false;
    this.#deadline = deadlines.coarseNow + limits.idleTimeoutMs;
  }

  #linger(): void {
    if (this.#phase === "linger" || this.#phase === "closed") return;
    const { deadlines, limits } = this.#context;
    this.#phase = "linger";
    this.#droppable = LIMITS.lingerBytes;
    // A caller that reads slowly has as long for the rest of its answer.
    this.#deadline = deadlines.coarseNow + Math.max(limits.readTimeoutMs, LIMITS.lingerMs);
    this.writer.flush();
    this.#socket.end(() => {
      this.#deadline = deadlines.coarseNow + LIMITS.lingerMs;
    });
  }

  /** Answers what is not a request, or what failed before it had an answer, and closes. */
  #refuse(reason: Reason, detail: string): boolean {
    const limit = HEAD_LIMITS[reason];
    if (limit !== undefined) this.#context.hit(limit);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.drop();
    this.body.detach();
    this.#input.clear();
    const answer = this.#context.handler.malformed({ connection: this, reason, detail });
    const body = Buffer.from(answer.body, "utf8");
    const head = writeResponseHead(
      reasonInfo(reason).status,
      [...answer.fields, "date", this.#context.date()],
      { bodyKind: "length", contentLength: body.length, connection: "close" },
    );
    this.writer.begin(head, "length", body.length);
    this.writer.write(body);
    this.writer.end(undefined);
    this.#linger();
    return false;
  }

  /** Reads only what somebody wants, or what has room to wait: so memory is bounded per caller. */
  #pace(): void {
    const phase = this.#phase;
    const waiting = phase === "busy" || (phase === "head" && this.writer.congested);
    const full = waiting && this.#input.length > this.#context.limits.maxPipelinedBytes;
    if (full === this.#paused || phase === "closed" || phase === "tunnel") return;
    this.#paused = full;
    if (full) this.#socket.pause();
    else this.#socket.resume();
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#context.log.error("a defect in a server connection", { error: asError(error) });
    this.destroy();
  }
}

function ignore(): void {}

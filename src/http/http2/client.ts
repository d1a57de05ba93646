/**
 * A connection to a service over HTTP/2: which requests it may take, when it is idle, in doubt, or
 * told to end. What goes over it is `connection.ts`'s, what becomes of a request `client-exchange.ts`'s.
 *
 * It takes requests once the service's first SETTINGS are there: until then nobody knows how many it
 * takes at once, or that it speaks HTTP/2 at all, and what was not sent may go elsewhere. Pushes are
 * refused (ENABLE_PUSH 0). Floods are refused to services as they are to callers: the connection ends,
 * with 502 for the requests on it and no others.
 */
import type { Socket } from "node:net";
import type { Log } from "../../model/ports.ts";
import type { Reason } from "../../model/reason.ts";
import { H2_ERROR, h2ErrorName } from "../../wire/http2/codes.ts";
import { DEFAULT_HEAD_LIMITS } from "../../wire/head-limits.ts";
import { type Deadlines, NEVER } from "../deadlines.ts";
import { readyEvent } from "../ready-event.ts";
import type { UpstreamFailure } from "../service-connection.ts";
import { isTlsFailure } from "../tls-failure.ts";
import { reasonOf } from "./client-failure.ts";
import { Http2Connection, type Http2End } from "./connection.ts";
import type { Http2Stream } from "./stream.ts";

/** Requests at once on a connection whose service has said nothing about that (RFC 9113 section 6.5.2 asks for no fewer). */
export const ASSUMED_STREAMS = 100;

const LIMITS = {
  /** Requests at once on one connection, whatever the service would take: one connection is one point of failure. */
  streams: 1024,
  /**
   * Bytes that one answer may come ahead of its caller, and all requests of a connection that much
   * each: as little as the protocol has until the caller has shown that it reads.
   */
  streamWindow: 64 * 1024 - 1,
  grownWindow: 256 * 1024,
  tableBytes: 4096,
  /** What services send is not smaller than what callers do; cookies and CSP make large heads. */
  listBytes: 64 * 1024,
  /** A connection on which nothing came for so long when a request had no answer in time is doubted. */
  silenceMs: 1000,
  /** How long a service may take for a PING when a request has had no answer in time. */
  pingMs: 2000,
  /** How long a service may read nothing at all; routes have their own, shorter timeouts. */
  readMs: 60_000,
} as const;

const OWN_SETTINGS = {
  maxStreams: 0,
  streamWindow: LIMITS.streamWindow,
  maxTableBytes: LIMITS.tableBytes,
  maxListBytes: LIMITS.listBytes,
  connectProtocol: false,
} as const;

/** Its content says nothing: whatever comes back shows that somebody is there. */
const CHECK = Buffer.from("sallypor", "latin1");

/** Where a connection comes from. */
export interface Http2ClientOwner {
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly lastNumber: number | undefined;
  /** The service has said how many requests it takes. */
  settingsChanged(connection: Http2ClientConnection): void;
  /** It may take more requests than before. */
  roomChanged(connection: Http2ClientConnection): void;
  /** It takes no more requests; those on it may finish. */
  ending(connection: Http2ClientConnection): void;
  /** It is over; `failure` is why, for those who wait for it. */
  gone(connection: Http2ClientConnection, failure: UpstreamFailure): void;
}

/** A request that has a place on a connection. */
export interface Occupant {
  /** Whether the service can have seen something of it. */
  readonly sent: boolean;
  /** Nothing of it was sent, and nothing will be. */
  failed(failure: UpstreamFailure): void;
}

/** `ending`: it takes no more requests. */
type Phase = "opening" | "open" | "ending" | "gone";

export class Http2ClientConnection implements Http2End {
  readonly #owner: Http2ClientOwner;
  readonly #http2: Http2Connection;
  readonly #exchanges = new Set<Occupant>();
  #phase: Phase = "opening";
  /** Until when the service has to have accepted us; then, since the last request, until when it is kept. */
  #idleBy: number;
  /** A PING was sent: until when something has to have come, and what had come before. */
  #doubtBy = NEVER;
  #doubtedAt = 0;
  #served = false;
  #error: Error | undefined;
  /** Whether it was not accepted in time. */
  #late = false;

  /** `socket` is connecting. */
  constructor(socket: Socket, owner: Http2ClientOwner) {
    const { deadlines, log, connectTimeoutMs, lastNumber } = owner;
    this.#owner = owner;
    socket.on("error", (error: Error) => (this.#error ??= error));
    this.#http2 = new Http2Connection(socket, this, {
      side: "client",
      own: OWN_SETTINGS,
      grownWindow: LIMITS.grownWindow,
      maxFields: DEFAULT_HEAD_LIMITS.maxFields,
      readTimeoutMs: LIMITS.readMs,
      deadlines,
      log,
      lastNumber,
      hit: () => {},
    });
    socket.once(readyEvent(socket), () => {
      if (!socket.destroyed) this.#http2.start();
    });
    this.#idleBy = deadlines.coarseNow + connectTimeoutMs;
    this.#rest();
  }

  /** Whether it waits for the service's first SETTINGS. */
  get opening(): boolean {
    return this.#phase === "opening";
  }

  /** Requests at once. */
  get maxStreams(): number {
    const { maxStreams } = this.#http2.peer;
    return Math.min(maxStreams === Infinity ? ASSUMED_STREAMS : maxStreams, LIMITS.streams);
  }

  /** How many more requests it may take now. */
  get room(): number {
    if (this.#phase !== "open" || !this.#http2.open || this.#inDoubt) return 0;
    return this.maxStreams - this.#exchanges.size;
  }

  /** Requests on it. */
  get active(): number {
    return this.#exchanges.size;
  }

  get takesWebsockets(): boolean {
    return this.#http2.peer.connectProtocol;
  }

  /** How often something was read: whether it is still the same tells that nothing has come since. */
  get heard(): number {
    return this.#http2.reads;
  }

  /** Why the socket failed, as far as the system says. */
  get errorCode(): string | undefined {
    const error = this.#error;
    if (error === undefined) return undefined;
    return "code" in error && typeof error.code === "string" ? error.code : "failed";
  }

  /** Whether it had served others before and has said nothing since `heard`. */
  servedBefore(heard: number): boolean {
    return this.#served && heard === this.heard;
  }

  /** Whether it has ever taken a request. */
  get used(): boolean {
    return this.#served || this.#exchanges.size > 0;
  }

  /** A request takes a place; `leave` follows once. */
  enter(exchange: Occupant): void {
    this.#exchanges.add(exchange);
    this.#rest();
    // Those that have no number yet need one each.
    if (this.#http2.numbersLeft <= this.#exchanges.size) this.#retire();
  }

  leave(exchange: Occupant): void {
    if (!this.#exchanges.delete(exchange)) return;
    this.#served = true;
    if (this.#exchanges.size === 0) {
      this.#idleBy = this.#owner.deadlines.coarseNow + this.#owner.idleTimeoutMs;
      this.#rest();
    }
    if (this.#phase === "open") this.#owner.roomChanged(this);
    else this.#finishIfDone();
  }

  newStream(): Http2Stream {
    return this.#http2.newStream();
  }

  /**
   * A request had no answer in time. Where nothing else came either, the service is asked whether it
   * is still there, and until something comes nobody else is sent here.
   */
  doubt(): void {
    const { coarseNow } = this.#owner.deadlines;
    const silent = coarseNow - this.#http2.readAt >= LIMITS.silenceMs;
    if (!silent || this.#doubtBy !== NEVER || !this.#http2.open) return;
    this.#doubtBy = coarseNow + LIMITS.pingMs;
    this.#doubtedAt = this.heard;
    this.#http2.outbox.ping(CHECK, false);
    this.#rest();
  }

  /** Takes no more requests and closes when those on it have ended. */
  close(): void {
    if (this.#phase === "opening") this.#http2.destroy();
    else this.#retire();
  }

  // Http2End

  opened(stream: Http2Stream): void {
    // The frame reader refuses PUSH_PROMISE, and nothing else opens a stream of theirs.
    stream.reset(H2_ERROR.refusedStream);
  }

  settingsReceived(): void {
    if (this.#phase === "opening") {
      this.#phase = "open";
      this.#idleBy = this.#owner.deadlines.coarseNow + this.#owner.idleTimeoutMs;
      this.#rest();
    }
    if (this.#phase === "open") this.#owner.settingsChanged(this);
  }

  goawayReceived(_lastStreamId: number, code: number): void {
    this.#leaving();
    this.#failUnsent(`GOAWAY ${h2ErrorName(code)}`);
    this.#finishIfDone();
  }

  streamClosed(): void {}

  expired(): void {
    const { coarseNow } = this.#owner.deadlines;
    if (this.#phase === "opening") this.#timeOut();
    else if (this.#doubtBy <= coarseNow) this.#resolveDoubt();
    else if (this.#exchanges.size === 0) this.#retire();
  }

  closing(detail: string, code: number): void {
    const failure = this.#failure(detail, code);
    this.#phase = "gone";
    this.#http2.restBy = NEVER;
    this.#failUnsent(detail);
    this.#owner.gone(this, failure);
  }

  ended(): void {}

  get #inDoubt(): boolean {
    return this.#doubtBy !== NEVER && this.#doubtedAt === this.heard;
  }

  #timeOut(): void {
    this.#late = true;
    this.#http2.destroy();
  }

  #resolveDoubt(): void {
    const dead = this.#inDoubt;
    this.#doubtBy = NEVER;
    this.#rest();
    if (dead) this.#http2.fail(H2_ERROR.noError, "no answer to a PING");
    else if (this.#phase === "open") this.#owner.roomChanged(this);
  }

  #leaving(): void {
    if (this.#phase !== "open") return;
    this.#phase = "ending";
    this.#owner.ending(this);
  }

  #retire(): void {
    this.#leaving();
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#phase === "ending" && this.#exchanges.size === 0) this.#http2.finish();
  }

  /** Of these the service has seen nothing. */
  #failUnsent(detail: string): void {
    for (const exchange of this.#exchanges) {
      if (exchange.sent) continue;
      const reason = "upstream-unreachable";
      exchange.failed({ reason, detail, connecting: false, stale: false, unprocessed: true });
    }
  }

  #failure(otherwise: string, code: number): UpstreamFailure {
    const connecting = this.#phase === "opening";
    const detail = this.#late ? "not accepted in time" : (this.errorCode ?? otherwise);
    const reason = this.#late ? "upstream-timeout" : this.#reason(code);
    return { reason, detail, connecting, stale: false, unprocessed: false };
  }

  #reason(code: number): Reason {
    const error = this.#error;
    // With TLS 1.3, a service that refuses our certificate says so after the handshake.
    return error !== undefined && isTlsFailure(error) ? "upstream-tls" : reasonOf(code);
  }

  #rest(): void {
    const idle = this.#phase === "opening" || this.#exchanges.size === 0;
    this.#http2.restBy = Math.min(idle ? this.#idleBy : NEVER, this.#doubtBy);
  }
}

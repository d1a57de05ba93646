/**
 * One request to a service on a stream of an HTTP/2 connection: what a `Forward` has in place of a
 * connection of its own. It waits for room, takes its stream, and gives it back.
 *
 * What is wrong with an answer ends this stream alone, and the service is told PROTOCOL_ERROR (RFC
 * 9113 section 8.1.1); what is given up is told CANCEL; the others on the connection go on.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { trailerFields } from "../../wire/http2/write-fields.ts";
import { websocketAccept, websocketKey } from "../../wire/websocket.ts";
import { NEVER } from "../deadlines.ts";
import { asError, invariant } from "../invariant.ts";
import type {
  ResponseReceiver,
  ServiceConnection,
  ServiceRequest,
  ServiceRequestBody,
  UpstreamFailure,
} from "../service-connection.ts";
import type { TunnelPipe, TunnelSide } from "../tunnel.ts";
import type { Http2ClientConnection, Http2ClientOwner, Occupant } from "./client.ts";
import { type AnswerSink, ClientAnswer } from "./client-answer.ts";
import { failureOf } from "./client-failure.ts";
import { requestList } from "./client-request.ts";
import type { Http2Stream, StreamReset } from "./stream.ts";
import { StreamPipe } from "./stream-pipe.ts";

const LIMITS = {
  /** How long a service has to close its side of an upgraded stream once we have closed ours. */
  lingerMs: 2000,
} as const;

/** Where an exchange waits until there is room for it. */
export interface WaitingPlace extends Http2ClientOwner {
  /** `host:port` of the endpoint. */
  readonly name: string;
  readonly scheme: "http" | "https";
  /** It waits no longer. */
  left(exchange: Http2ClientExchange): void;
}

/**
 * `waiting`: for a connection with room. `ready`: it has a place on one. `open`: it has a stream.
 * `tunnel`: upgraded. `linger`: our side of an upgraded one is closed.
 */
type Phase = "waiting" | "ready" | "open" | "tunnel" | "linger" | "closed";

export class Http2ClientExchange implements ServiceConnection, AnswerSink, Occupant {
  expiresAt = NEVER;
  readonly #place: WaitingPlace;
  #phase: Phase = "waiting";
  #receiver: ResponseReceiver | undefined;
  #connection: Http2ClientConnection | undefined;
  #stream: Http2Stream | undefined;
  /** Of a WebSocket that is asked for. */
  #key: string | undefined;
  /** How much the connection had heard when the request was begun. */
  #heard = 0;
  #answered = false;

  /** `connection` has room; undefined: `place` brings one that has. */
  constructor(place: WaitingPlace, connection: Http2ClientConnection | undefined) {
    this.#place = place;
    if (connection !== undefined) this.#enter(connection);
    place.deadlines.add(this);
  }

  get sent(): boolean {
    return this.#stream !== undefined && this.#stream.id !== 0;
  }

  // The pool's and the connection's side

  /** There is room on this connection. */
  place(connection: Http2ClientConnection): void {
    this.#enter(connection);
    this.#guarded(() => this.#receiver?.connected());
  }

  failed(failure: UpstreamFailure): void {
    this.#fail(failure, H2_ERROR.cancel);
  }

  // ServiceConnection

  assign(receiver: ResponseReceiver): void {
    invariant(this.#receiver === undefined, "the exchange has a receiver");
    this.#receiver = receiver;
  }

  begin(request: ServiceRequest, body: ServiceRequestBody): void {
    const connection = this.#connection;
    invariant(this.#phase === "ready" && connection !== undefined, "the exchange is not ready");
    const { method, fields, websocket } = request;
    const list = requestList(request, body, this.#place);
    const stream = connection.newStream();
    this.#phase = "open";
    this.#heard = connection.heard;
    this.#stream = stream;
    stream.receiver = new ClientAnswer(this, websocket ? "CONNECT" : method);
    stream.begin(list);
    if (!websocket) return;
    this.#key = websocketKey(fields) ?? "";
    if (connection.takesWebsockets) stream.flush();
    // Whoever begins is not done with that: what fails is told afterwards.
    else queueMicrotask(() => this.#fail(NO_WEBSOCKETS, H2_ERROR.cancel));
  }

  write(bytes: Buffer): boolean {
    return this.#stream?.write(bytes) ?? true;
  }

  flush(): void {
    this.#stream?.flush();
  }

  end(trailers: Fields | undefined): void {
    // What follows the head of a WebSocket is the tunnel's.
    if (this.#key !== undefined) return;
    this.#stream?.end(trailers === undefined ? undefined : trailerFields(trailers));
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  tunnel(side: TunnelSide): TunnelPipe {
    const stream = this.#stream;
    invariant(this.#phase === "open" && stream !== undefined, "an upgrade without its request");
    this.#phase = "tunnel";
    this.#receiver = undefined;
    this.expiresAt = NEVER;
    return new StreamPipe(stream, side, () => this.#linger(stream));
  }

  /** A stream is cheap to give up: the connection goes on without it. */
  discard(_answer: ResponseHead): void {
    this.destroy();
  }

  destroy(): void {
    this.#receiver = undefined;
    this.#close(H2_ERROR.cancel);
  }

  expired(): void {
    const receiver = this.#receiver;
    if (receiver === undefined) {
      this.#close(H2_ERROR.cancel);
      return;
    }
    // Whether it is the service that takes so long or the way there, a PING will show.
    if (this.sent) this.#connection?.doubt();
    this.#guarded(() => receiver.expired());
  }

  // AnswerSink

  answerHead(head: ResponseHead): void {
    this.#answered = true;
    const key = this.#key;
    this.#guarded(() => {
      if (key !== undefined && head.status < 300) this.#receiver?.switched(asSwitch(head, key));
      else this.#receiver?.responseHead(head);
    });
  }

  answerChunk(bytes: Buffer): void {
    this.#guarded(() => this.#receiver?.responseChunk(bytes));
  }

  answerIdle(): void {
    this.#guarded(() => this.#receiver?.responseIdle());
  }

  answerEnd(trailers: Fields | undefined): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    // A request that is answered before it was sent whole is given up, and the answer is complete.
    this.#close(H2_ERROR.cancel);
    this.#guarded(() => receiver?.responseEnd(trailers));
  }

  requestDrained(): void {
    this.#guarded(() => this.#receiver?.upstreamDrained());
  }

  malformed(detail: string): void {
    const reason = "upstream-protocol";
    const failure = {
      reason,
      detail,
      connecting: false,
      stale: false,
      unprocessed: false,
    } as const;
    this.#fail(failure, H2_ERROR.protocolError);
  }

  answerReset(cause: StreamReset): void {
    const silent = this.#connection?.servedBefore(this.#heard) === true;
    const errorCode = cause.by === "connection" ? this.#connection?.errorCode : undefined;
    this.#fail(failureOf(cause, { answered: this.#answered, silent, errorCode }), H2_ERROR.cancel);
  }

  /** The tunnel has let go of its stream, which has a while to end in order. */
  #linger(stream: Http2Stream): void {
    const over = (): void => this.#close(H2_ERROR.cancel);
    this.#phase = "linger";
    this.expiresAt = this.#place.deadlines.coarseNow + LIMITS.lingerMs;
    stream.receiver = { ...UNHEARD, closed: over, reset: over };
    if (stream.closed) over();
  }

  #enter(connection: Http2ClientConnection): void {
    this.#phase = "ready";
    this.#connection = connection;
    connection.enter(this);
  }

  #fail(failure: UpstreamFailure, code: number): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#close(code);
    this.#guarded(() => receiver?.failed(failure));
  }

  /** `code`: what the service is told where it has not ended the stream itself. */
  #close(code: number): void {
    if (this.#phase === "closed") return;
    const waited = this.#phase === "waiting";
    this.#phase = "closed";
    this.#place.deadlines.delete(this);
    const stream = this.#stream;
    if (stream !== undefined && !(stream.localEnded && stream.remoteEnded)) stream.reset(code);
    if (waited) this.#place.left(this);
    else this.#connection?.leave(this);
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#place.log.error("a defect in a connection to a service", { error: asError(error) });
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#close(H2_ERROR.internalError);
    receiver?.defect(error);
  }
}

const NO_WEBSOCKETS: UpstreamFailure = {
  reason: "upstream-protocol",
  detail: "the service takes no WebSockets over HTTP/2 (RFC 8441)",
  connecting: false,
  stale: false,
  unprocessed: false,
  unsendable: true,
};

const UNHEARD = { headers() {}, data() {}, idle() {}, ended() {}, drained() {} } as const;

/** The answer to an extended CONNECT as HTTP/1.1 would have given it: what the rest of the house reads. */
function asSwitch(head: ResponseHead, key: string): ResponseHead {
  const accept = websocketAccept(key);
  return {
    ...head,
    status: 101,
    fields: [...head.fields, "upgrade", "websocket", "sec-websocket-accept", accept],
    connectionOptions: ["upgrade"],
  };
}

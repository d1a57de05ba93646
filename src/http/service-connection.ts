/**
 * What an exchange sees of the way to a service, whichever protocol is spoken there: something that
 * carries one request and its answer, and the pool that it is taken from. With HTTP/1.1 that is a
 * whole connection, with HTTP/2 one stream among others.
 *
 * Framing, and what is said hop by hop, belongs to the protocol behind it: who sends gives the
 * parsed state and never fields for that.
 */
import type { BodyKind, Fields, ResponseHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import type { Expirable } from "./deadlines.ts";
import type { TunnelPipe, TunnelSide } from "./tunnel.ts";

/** A request as it is written to a service. */
export interface ServiceRequest {
  readonly method: string;
  /** Origin-form target, canonical. */
  readonly target: string;
  /** With `host`; without hop-by-hop and framing fields. */
  readonly fields: Fields;
  /** Whether it asks to switch to a WebSocket; `fields` hold the rest of the opening handshake. */
  readonly websocket: boolean;
  /** As the caller sent them: where a protocol carries on something that is said hop by hop (`te`). */
  readonly received: Fields;
}

/** How a request's body comes. */
export interface ServiceRequestBody {
  readonly bodyKind: BodyKind;
  /** Bytes; 0 unless `bodyKind` is `length`. */
  readonly contentLength: number;
}

/** Why an answer did not come, or not whole. */
export interface UpstreamFailure {
  readonly reason: Reason;
  readonly detail: string;
  /** The connection could not be opened: nothing was written. */
  readonly connecting: boolean;
  /** The connection had served before and closed without a byte of an answer: it was stale. */
  readonly stale: boolean;
  /**
   * The service has said that it did not and will not act on the request (RFC 9113 section 8.7): it
   * may be sent again whatever its method. HTTP/1.1 has no way to say so.
   */
  readonly unprocessed: boolean;
  /** It was not sent, because the service has said that it takes none of its kind: no fault of its endpoint. */
  readonly unsendable?: boolean;
  /** The service cancelled an answer that it had begun. */
  readonly cancelled?: boolean;
}

/** Who waits for the answer. After `responseEnd` and `failed` nothing more is called. */
export interface ResponseReceiver {
  /** The connection is open; the request can be written. */
  connected(): void;
  responseHead(head: ResponseHead): void;
  /** 101 to the upgrade that was asked for. `tunnel` or `destroy` has to follow at once. */
  switched(head: ResponseHead): void;
  /** Body bytes without framing. The buffer is the receiver's to keep. */
  responseChunk(bytes: Buffer): void;
  /** No more is at hand for now: what was gathered should be sent. */
  responseIdle(): void;
  /** The answer is complete, and the connection has been given back. */
  responseEnd(trailers: Fields | undefined): void;
  /** After `write` returned false: the service took it. */
  upstreamDrained(): void;
  failed(failure: UpstreamFailure): void;
  /** `deadline` has passed. */
  expired(): void;
  /** A verb of the receiver threw: a defect of ours. */
  defect(error: unknown): void;
}

/** Carries one request at a time. Who has assigned itself may use it until its answer has ended. */
export interface ServiceConnection extends Expirable {
  /** Monotonic milliseconds; the receiver's while one is assigned. */
  expiresAt: number;
  /** Reserves it for one exchange. Not yet connected: `connected` follows. */
  assign(receiver: ResponseReceiver): void;
  /** Begins the one request. */
  begin(request: ServiceRequest, body: ServiceRequestBody): void;
  /** Request body bytes; the buffer is the connection's from now on. False: wait for `upstreamDrained`. */
  write(bytes: Buffer): boolean;
  /** Sends what `begin` and `write` still hold. To be called when no more is at hand. */
  flush(): void;
  end(trailers: Fields | undefined): void;
  /** Stops and starts the answer: back-pressure from whom it goes to. */
  pause(): void;
  resume(): void;
  /** After `switched`: the bytes from now on are the tunnel's. */
  tunnel(side: TunnelSide): TunnelPipe;
  /** Nobody wants the rest of this answer. The receiver is not called any more. */
  discard(answer: ResponseHead): void;
  /** Gives the request up at once. The receiver is not called any more. */
  destroy(): void;
}

/** The ways to one endpoint. */
export interface ServicePool {
  /** `host:port`, as records name it. */
  readonly name: string;
  /** Open connections, idle ones included. */
  readonly size: number;
  /** Requests at once, as far as is known. */
  readonly capacity: number;
  /** Whether HTTP/2 is spoken: a failure can be `unprocessed`, so that it is worth to keep a small body. */
  readonly http2: boolean;
  /** A way on which a request can be written at once, or undefined. */
  reuse(): ServiceConnection | undefined;
  /** A way that is connecting; undefined where nothing more may be opened. */
  connect(): ServiceConnection | undefined;
  /** A way for one request, connecting, that is none of the pool's: for a health check. */
  connectAside(): ServiceConnection;
  /** Closes what is idle now and the others as they end. */
  close(): void;
}

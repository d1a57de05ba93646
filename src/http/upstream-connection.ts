/**
 * One HTTP/1.1 connection to a service: writes one request at a time, reads its answer strictly.
 *
 * What is not exactly one answer to the one request in flight breaks the connection: bytes while it
 * is idle, bytes after the answer, an answer cut short, too many interim answers. A connection that
 * broke is never used again, because nobody can tell whose answer comes next.
 */
import type { Socket } from "node:net";
import type { Fields, ResponseHead } from "../model/http.ts";
import type { Log } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import { findHeadEnd } from "../wire/http1/find-head-end.ts";
import { isHeadFault } from "../wire/head-fault.ts";
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from "../wire/http1/request-head.ts";
import { parseResponseHead, type ResponseContext } from "../wire/http1/response-head.ts";
import { SectionMemo } from "../wire/http1/section-memo.ts";
import { writeRequestHead } from "../wire/http1/write-head.ts";
import { isHttp2Answer } from "../wire/http2/other-version.ts";
import { BodyDecoder } from "./body-decoder.ts";
import { type Deadlines, NEVER } from "./deadlines.ts";
import { asError } from "./invariant.ts";
import { readDirectly } from "./direct-read.ts";
import { InputBuffer } from "./input-buffer.ts";
import { MessageWriter } from "./message-writer.ts";
import { invariant } from "./invariant.ts";
import { readyEvent } from "./ready-event.ts";
import type {
  ResponseReceiver,
  ServiceConnection,
  ServiceRequest,
  ServiceRequestBody,
} from "./service-connection.ts";
import { isTlsFailure } from "./tls-failure.ts";
import { SocketPipe, type TunnelPipe, type TunnelSide } from "./tunnel.ts";

/** Where the connection comes from and returns to. */
export interface ConnectionOwner {
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly idleTimeoutMs: number;
  /** Whether connections serve one request and tell the service so. */
  readonly once: boolean;
  /** It is idle and may carry another request. */
  idle(connection: UpstreamConnection): void;
  /** It must not be used again. */
  gone(connection: UpstreamConnection): void;
}

const LIMITS = {
  /** Interim answers before the final one. Real services send one or two; more is a flood. */
  interim: 8,
  /** What services send is not smaller than what callers do; cookies and CSP make large heads. */
  head: { ...DEFAULT_HEAD_LIMITS, maxHeadBytes: 64 * 1024 } satisfies HeadLimits,
  /** How long a service has to close its side of an upgraded connection once we have closed ours. */
  lingerMs: 2000,
  /** Bytes of an answer that nobody wants: reading more costs more than a new connection. */
  discarded: 64 * 1024,
  discardMs: 1000,
} as const;

/** What an `http:` endpoint with a service over HTTP/2 behind it comes to. */
const OTHER_VERSION = "an answer in HTTP/2 where HTTP/1.1 has to be";

/**
 * `head`: waiting for an answer or within its head. `body`: within its body. `tunnel`: upgraded.
 * `linger`: our side of an upgraded one is closed.
 */
type Phase = "connecting" | "idle" | "head" | "body" | "tunnel" | "linger" | "closed";

export class UpstreamConnection implements ServiceConnection {
  expiresAt = NEVER;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #writer: MessageWriter;
  readonly #input = new InputBuffer();
  readonly #memo = new SectionMemo();
  readonly #decoder = new BodyDecoder();
  readonly #onData = (bytes: Buffer): void => this.#receiver?.responseChunk(bytes);
  #phase: Phase = "connecting";
  #receiver: ResponseReceiver | undefined;
  /** Who has the bytes once the connection was upgraded. */
  #side: TunnelSide | undefined;
  #context: ResponseContext = { method: "", upgrade: false };
  #searched = 0;
  #interim = 0;
  #keepAlive = false;
  #chunked = false;
  #used = false;
  #answerBegun = false;
  #paused = false;

  /** `socket` is connecting. */
  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#writer = new MessageWriter(socket);
    socket.on(readyEvent(socket), () => this.#guarded(() => this.#connected()));
    readDirectly(socket, (chunk) => this.#received(chunk));
    socket.on("drain", () => this.#guarded(() => this.#drained()));
    socket.on("end", () => this.#guarded(() => this.#finished()));
    socket.on("error", (error: Error) => this.#guarded(() => this.#failedBy(error)));
    socket.on("close", () => this.#guarded(() => this.#broken("closed")));
    owner.deadlines.add(this);
  }

  /** Whether a request can be written at once. */
  get ready(): boolean {
    return this.#phase === "idle" && this.#socket.writable && !this.#socket.destroyed;
  }

  assign(receiver: ResponseReceiver): void {
    invariant(this.#receiver === undefined, "the connection has a receiver");
    this.#receiver = receiver;
  }

  begin(request: ServiceRequest, body: ServiceRequestBody): void {
    invariant(
      this.#phase === "idle" && this.#receiver !== undefined,
      "the connection is not ready",
    );
    const { method, fields, websocket } = request;
    const { bodyKind, contentLength } = body;
    const connection = websocket ? "upgrade" : this.#owner.once ? "close" : undefined;
    const sent = websocket ? [...fields, "upgrade", "websocket"] : fields;
    const head = writeRequestHead(request, sent, { bodyKind, contentLength, connection });
    this.#phase = "head";
    this.#context = { method, upgrade: websocket };
    this.#searched = 0;
    this.#interim = 0;
    this.#answerBegun = false;
    this.#writer.begin(head, bodyKind, contentLength);
  }

  write(bytes: Buffer): boolean {
    return this.#writer.write(bytes);
  }

  flush(): void {
    this.#writer.flush();
  }

  end(trailers: Fields | undefined): void {
    this.#writer.end(trailers);
  }

  pause(): void {
    if (this.#paused || this.#receiver === undefined) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  tunnel(side: TunnelSide): TunnelPipe {
    invariant(this.#phase === "head" && !this.#writer.open, "an upgrade without its request");
    const rest = this.#input.bytes.subarray(this.#input.start);
    this.#input.clear();
    this.#phase = "tunnel";
    this.#receiver = undefined;
    this.#side = side;
    this.expiresAt = NEVER;
    this.resume();
    return new SocketPipe(this.#socket, rest, () => {
      if (this.#phase !== "tunnel") return;
      this.#side = undefined;
      this.#phase = "linger";
      this.expiresAt = this.#owner.deadlines.coarseNow + LIMITS.lingerMs;
      this.#socket.resume();
      this.#socket.end();
    });
  }

  /**
   * Reads the rest of this answer for nobody, so that the connection can serve again; closes it where
   * that takes too long or is not worth it.
   */
  discard(answer: ResponseHead): void {
    this.#receiver = undefined;
    const { bodyKind, contentLength } = answer;
    const short =
      bodyKind === "none" || (bodyKind === "length" && contentLength <= LIMITS.discarded);
    if (short) this.expiresAt = this.#owner.deadlines.coarseNow + LIMITS.discardMs;
    else this.#close();
  }

  destroy(): void {
    this.#receiver = undefined;
    this.#close();
  }

  expired(): void {
    if (this.#receiver === undefined) this.#close();
    else this.#guarded(() => this.#receiver?.expired());
  }

  #drained(): void {
    if (this.#side !== undefined) this.#side.drained();
    else this.#receiver?.upstreamDrained();
  }

  #connected(): void {
    if (this.#phase !== "connecting") return;
    this.#phase = "idle";
    if (this.#receiver === undefined) this.#close();
    else this.#receiver.connected();
  }

  #received(chunk: Buffer): void {
    if (this.#phase === "tunnel") {
      this.#guarded(() => this.#side?.data(chunk));
      return;
    }
    if (this.#phase === "linger") return;
    // A service that sends an answer too many would have it taken for that to the next request, which
    // is somebody else's. What came while a head still waits for the end of the turn is such an answer.
    if (this.#phase === "idle" || this.#phase === "closed" || this.#writer.unsent) {
      this.#failProtocol(isHttp2Answer(chunk) ? OTHER_VERSION : "bytes that answer no request");
      return;
    }
    this.#input.append(chunk);
    try {
      while (this.#phase === "head" && this.#readHead());
      if (this.#phase === "body") this.#readBody();
    } catch (error) {
      this.#defect(error);
    }
  }

  /** True when a head was read. */
  #readHead(): boolean {
    const input = this.#input;
    if (input.length === 0) return false;
    this.#answerBegun = true;
    const end = findHeadEnd(input.bytes, input.start, input.start + this.#searched);
    if (end === -1) {
      this.#searched = input.length;
      if (input.length > LIMITS.head.maxHeadBytes) this.#failProtocol("an endless head");
      return false;
    }
    const head = parseResponseHead(input.bytes, input.start, end, {
      limits: LIMITS.head,
      request: this.#context,
      memo: this.#memo,
    });
    if (isHeadFault(head)) {
      this.#failProtocol(head.detail);
      return false;
    }
    input.take(end);
    this.#searched = 0;
    if (head.status === 101) {
      this.#receiver?.switched(head);
      return false;
    }
    if (head.status < 200) return this.#interimRead();
    this.#beginBody(head);
    return true;
  }

  /** Interim answers end here: `Expect` is answered by us, and the others are advice. */
  #interimRead(): boolean {
    this.#interim += 1;
    if (this.#interim <= LIMITS.interim) return true;
    this.#failProtocol("too many interim answers");
    return false;
  }

  #beginBody(head: ResponseHead): void {
    const { bodyKind, contentLength } = head;
    const bounded = bodyKind === "none" || bodyKind === "length";
    if (bounded && this.#input.length > (bodyKind === "length" ? contentLength : 0)) {
      // Before the caller has seen a byte: so it gets a 502 and not a doubtful answer.
      this.#failProtocol("bytes after the answer");
      return;
    }
    this.#phase = "body";
    this.#keepAlive = head.keepAlive;
    this.#chunked = bodyKind === "chunked";
    this.#decoder.start(bodyKind, contentLength);
    this.#receiver?.responseHead(head);
  }

  #readBody(): void {
    const input = this.#input;
    const taken = this.#decoder.write(input.bytes, input.start, this.#onData);
    // A chunk may have made the receiver give up.
    if (this.#phase !== "body") return;
    if (typeof taken !== "number") {
      this.#failProtocol(taken.detail);
      return;
    }
    input.take(taken);
    if (!this.#decoder.done) this.#receiver?.responseIdle();
    else if (input.length > 0) this.#failProtocol("bytes after the answer");
    else this.#complete();
  }

  #complete(): void {
    const receiver = this.#receiver;
    const trailers = this.#chunked ? this.#decoder.trailers : undefined;
    this.#receiver = undefined;
    // A service that answered without taking the whole request would read the rest as the next one.
    if (this.#keepAlive && !this.#writer.open) this.#rest();
    else this.#close();
    receiver?.responseEnd(trailers);
  }

  #rest(): void {
    this.#phase = "idle";
    this.#used = true;
    this.resume();
    this.expiresAt = this.#owner.deadlines.coarseNow + this.#owner.idleTimeoutMs;
    this.#owner.idle(this);
  }

  /** The service closed its side. */
  #finished(): void {
    if (this.#side !== undefined) this.#side.ended();
    else if (this.#phase === "body" && this.#decoder.close()) this.#complete();
    else this.#broken("closed");
  }

  #failedBy(error: Error): void {
    // With TLS 1.3, a service that refuses our certificate says so after the handshake.
    if (!this.#answerBegun && isTlsFailure(error)) this.#fail("upstream-tls", errorCode(error));
    else this.#broken(errorCode(error));
  }

  #broken(detail: string): void {
    if (this.#phase === "closed") return;
    if (this.#answerBegun && (this.#phase === "head" || this.#phase === "body")) {
      const { bytes, start } = this.#input;
      const other = this.#phase === "head" && isHttp2Answer(bytes, start);
      this.#failProtocol(other ? OTHER_VERSION : `${detail} within the answer`);
    } else {
      this.#fail("upstream-unreachable", detail);
    }
  }

  #failProtocol(detail: string): void {
    this.#fail("upstream-protocol", detail);
  }

  #fail(reason: Reason, detail: string): void {
    const connecting = this.#phase === "connecting";
    const receiver = this.#receiver;
    this.#receiver = undefined;
    const stale = this.#used && !this.#answerBegun;
    const side = this.#side;
    this.#side = undefined;
    this.#close();
    side?.gone();
    receiver?.failed({ reason, detail, connecting, stale, unprocessed: false });
  }

  #close(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#input.clear();
    this.#owner.deadlines.delete(this);
    this.#socket.destroy();
    this.#owner.gone(this);
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#owner.log.error("a defect in a connection to a service", { error: asError(error) });
    const receiver = this.#receiver;
    this.#receiver = undefined;
    const side = this.#side;
    this.#side = undefined;
    this.#close();
    side?.gone();
    receiver?.defect(error);
  }
}

/** System error codes (`ECONNREFUSED`) say what happened; messages may hold addresses. */
function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "failed";
}

/**
 * One request on an HTTP/2 server connection and its answer: what the handler and the forwarder hold.
 *
 * Here the request that a stream carries becomes the one that the rest of the house knows, and the
 * answer becomes HEADERS and DATA. Giving up on an answer ends its stream and nothing else. Once the
 * answer has ended or the caller is gone, every verb does nothing.
 */
import type { Fields, RequestHead } from "../../model/http.ts";
import { getField } from "../../wire/fields.ts";
import { keepNeverIndexed } from "../../wire/never-indexed.ts";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { isHpackFault } from "../../wire/http2/hpack-decoder.ts";
import { isTrailerFault, readTrailerFields } from "../../wire/http2/trailer-fields.ts";
import { responseFields, trailerFields } from "../../wire/http2/write-fields.ts";
import { type Expirable, NEVER } from "../deadlines.ts";
import type {
  BodyReader,
  ClientConnection,
  Exchange,
  ExchangeStream,
  ResponseBody,
} from "../exchange.ts";
import { invariant } from "../invariant.ts";
import type { TunnelPipe, TunnelSide } from "../tunnel.ts";
import { Http2RequestBody, type RequestBodyDeps } from "./request-body.ts";
import type { Http2Stream, Section, StreamReceiver } from "./stream.ts";
import { StreamPipe } from "./stream-pipe.ts";

const LIMITS = {
  /**
   * How long a request that its caller has reset keeps its place while it is decided about: what is
   * fetched for it cannot be called off, and a place for every reset would multiply such work.
   */
  decidingMs: 1000,
} as const;

/** The connection as its exchanges see it. */
export interface ExchangeHost extends ClientConnection {
  readonly body: RequestBodyDeps;
  readonly readTimeoutMs: number;
  /** The `date` of an answer that is made now (RFC 9110 section 6.6.1). */
  date(): string;
  /** Lets the requests at hand be the last of the connection. */
  drain(): void;
  /** A request was malformed after all. */
  provoked(): void;
  /** An upgraded stream: to be told when the listener closes. */
  tunnelOpened(pipe: StreamPipe): void;
  tunnelClosed(pipe: StreamPipe): void;
  /** Requests that are over and are still decided about: each keeps its place. */
  readonly lingering: Set<Http2ServerExchange>;
}

/** `lingering`: the caller is gone while it was decided about. */
type Phase = "waiting" | "answering" | "tunnel" | "lingering" | "over";

export class Http2ServerExchange implements Exchange, ExchangeStream, StreamReceiver, Expirable {
  readonly head: RequestHead;
  readonly receivedAt: number;
  readonly connection: ExchangeHost;
  whenOver: (() => void) | undefined = undefined;
  owner: unknown = undefined;
  readonly #stream: Http2Stream;
  /** Undefined where there is none. */
  readonly #body: Http2RequestBody | undefined;
  #phase: Phase = "waiting";
  #reader: BodyReader | undefined;
  /** Bytes that the answer still owes; -1 where its length was not announced. */
  #owed = 0;
  /** Whether the head announced what HEAD, 204 and 304 leave out. */
  #bodiless = false;
  #expecting: boolean;
  /** When a caller that does not read its answer is cut off, and when a place is given back. */
  #readBy = NEVER;
  /** What the stream is reset with when the answer is given up. */
  #abortCode: number = H2_ERROR.internalError;

  constructor(
    connection: ExchangeHost,
    request: { readonly stream: Http2Stream; readonly head: RequestHead; readonly now: number },
  ) {
    const { stream, head } = request;
    this.connection = connection;
    this.head = head;
    this.receivedAt = request.now;
    this.#stream = stream;
    this.#expecting = head.expectContinue && head.bodyKind !== "none";
    if (!stream.remoteEnded) stream.pause();
    if (head.bodyKind !== "none" && !stream.remoteEnded) {
      const length = head.bodyKind === "length" ? head.contentLength : -1;
      this.#body = new Http2RequestBody(length, connection.body);
    }
    stream.receiver = this;
    connection.body.deadlines.add(this);
  }

  // Expirable

  get expiresAt(): number {
    if (this.#body === undefined) return this.#readBy;
    return Math.min(this.#body.deadline, this.#readBy);
  }

  expired(): void {
    if (this.#phase === "lingering") this.#leave();
    else if (this.#readBy <= this.connection.body.deadlines.coarseNow) {
      this.connection.body.hit("readTimeout");
      this.#stream.reset(H2_ERROR.cancel);
      this.#gone();
    } else this.#body?.fault("request-timeout", "the body came slower than the limit");
  }

  // Exchange

  get stream(): ExchangeStream {
    return this;
  }

  get gone(): boolean {
    return this.#phase === "over" || this.#phase === "lingering";
  }

  /** Whether an answer was begun. */
  get answering(): boolean {
    return this.#phase === "answering";
  }

  get bodyDone(): boolean {
    return this.#body === undefined || this.#body.done;
  }

  reply(
    status: number,
    fields: Fields,
    body: string,
    options?: { readonly close?: boolean },
  ): void {
    if (this.gone) return;
    invariant(this.#phase === "waiting", "the exchange is being answered");
    const bytes = Buffer.from(body, "utf8");
    // END_STREAM with the head says that there is none; gRPC clients take fields of ours for metadata.
    const bodyKind = bytes.length === 0 ? "none" : "length";
    this.begin(status, fields, { bodyKind, contentLength: bytes.length });
    if (!this.#bodiless) this.write(bytes);
    if (options?.close === true) this.connection.drain();
    this.end(undefined);
  }

  // ExchangeStream

  attach(reader: BodyReader): void {
    if (!this.gone) this.#reader = reader;
  }

  read(maxBytes: number, options?: { readonly unpaced: boolean }): void {
    if (this.gone) return;
    const reader = this.#reader;
    invariant(reader !== undefined, "a body is read by its reader");
    if (this.#body === undefined) {
      reader.bodyEnd(undefined);
      return;
    }
    if (!this.#body.read(reader, maxBytes, options?.unpaced !== true)) return;
    this.#stream.resume();
    if (this.#expecting && this.#phase === "waiting" && this.#body.wanted) this.#continue();
  }

  pause(): void {
    if (this.gone || this.bodyDone) return;
    this.#body?.pause();
    this.#stream.pause();
  }

  resume(): void {
    if (this.gone || this.bodyDone) return;
    this.#body?.resume();
    this.#stream.resume();
  }

  begin(status: number, fields: Fields, body: ResponseBody): void {
    if (this.gone) return;
    invariant(this.#phase === "waiting", "the exchange is being answered");
    const length = this.#lengthOf(status, body);
    const dated =
      getField(fields, "date") === undefined ? [...fields, "date", this.connection.date()] : fields;
    // First, because it throws for fields that must not go out.
    const section = keepNeverIndexed(fields, responseFields(status, dated, length));
    this.#phase = "answering";
    this.#bodiless = this.head.method === "HEAD" || status === 204 || status === 304;
    this.#owed = length === undefined || this.#bodiless ? -1 : length;
    this.#stream.begin(section);
  }

  write(bytes: Buffer): boolean {
    if (this.#phase !== "answering") return true;
    invariant(!this.#bodiless, "a body where there is none");
    if (this.#owed !== -1) {
      this.#owed -= bytes.length;
      invariant(this.#owed >= 0, "more body than announced");
    }
    const room = this.#stream.write(bytes);
    if (!room && this.#readBy === NEVER) this.#readInTime();
    return room;
  }

  flush(): void {
    if (this.#phase === "answering") this.#stream.flush();
  }

  end(trailers: Fields | undefined): void {
    if (this.gone) return;
    invariant(this.#phase === "answering", "no answer was begun");
    invariant(this.#owed <= 0, "less body than announced");
    // First, because it throws for fields that must not go out.
    const section = trailers === undefined ? undefined : trailerFields(trailers);
    this.#over();
    this.#readInTime();
    this.#stream.discard();
    this.#stream.end(section);
  }

  retract(): boolean {
    if (this.#phase !== "answering" || !this.#stream.retract()) return false;
    this.#phase = "waiting";
    this.#readBy = NEVER;
    return true;
  }

  abort(cancelled = false): void {
    if (this.gone) return;
    this.#stream.reset(cancelled ? H2_ERROR.cancel : this.#abortCode);
    this.#over();
    this.#leave();
  }

  upgrade(fields: Fields, side: TunnelSide): TunnelPipe | undefined {
    if (this.gone) return undefined;
    invariant(this.#phase === "waiting", "the exchange is being answered");
    const section = responseFields(200, withoutAccept(fields));
    this.#phase = "tunnel";
    this.#reader = undefined;
    this.#stream.begin(section);
    this.#stream.flush();
    const pipe = new StreamPipe(this.#stream, side, () => this.#tunnelOver(pipe));
    this.connection.tunnelOpened(pipe);
    return pipe;
  }

  // StreamReceiver

  headers(section: Section, endStream: boolean): void {
    const body = this.#body;
    if (body === undefined || !endStream) {
      this.#stream.violate(H2_ERROR.protocolError, "HEADERS within a request");
      return;
    }
    if (isHpackFault(section)) {
      body.fault("head-too-large", "trailers have more bytes than the limit");
      return;
    }
    const trailers = readTrailerFields(section);
    const fault = isTrailerFault(trailers) ? trailers.detail : body.end(trailers);
    if (fault !== undefined) this.#malformed(body, fault);
  }

  data(bytes: Buffer): void {
    const body = this.#body;
    if (body === undefined) {
      this.#stream.violate(H2_ERROR.protocolError, "DATA where no body was announced");
      return;
    }
    const fault = body.data(bytes);
    if (fault !== undefined) this.#malformed(body, fault);
  }

  idle(): void {
    this.#body?.idle();
  }

  ended(): void {
    const body = this.#body;
    const fault = body?.end(undefined);
    if (body !== undefined && fault !== undefined) this.#malformed(body, fault);
  }

  drained(): void {
    // What is left of an answer that has ended keeps its time.
    if (this.gone) return;
    this.#readBy = NEVER;
    this.#reader?.drained();
  }

  closed(): void {
    this.#leave();
  }

  reset(): void {
    this.#gone();
  }

  // Ending

  /** Section 8.1.1. An answer that was not begun can still be given. */
  #malformed(body: Http2RequestBody, detail: string): void {
    this.#abortCode = H2_ERROR.protocolError;
    this.connection.provoked();
    body.fault("malformed-request", detail);
  }

  #continue(): void {
    this.#expecting = false;
    this.#stream.interim(CONTINUE);
  }

  #readInTime(): void {
    this.#readBy = this.connection.body.deadlines.coarseNow + this.connection.readTimeoutMs;
  }

  /** RFC 9110 section 8.6: none with 204; for HEAD and 304 what the service said. */
  #lengthOf(status: number, { bodyKind, contentLength }: ResponseBody): number | undefined {
    if (status === 204) return undefined;
    if (this.head.method === "HEAD" || status === 304) {
      const known = bodyKind !== "chunked" && bodyKind !== "until-close" && contentLength >= 0;
      return known ? contentLength : undefined;
    }
    return bodyKind === "length" ? contentLength : undefined;
  }

  /** Nothing more can be answered. */
  #over(): void {
    this.#phase = "over";
    this.#body?.detach();
    this.#reader = undefined;
    this.owner = undefined;
    this.whenOver?.();
  }

  /** The caller has gone. */
  #gone(): void {
    if (this.#phase === "over") {
      this.#leave();
      return;
    }
    const reader = this.#reader;
    const deciding = this.#phase === "waiting" && reader === undefined;
    this.#over();
    if (deciding) {
      this.#phase = "lingering";
      this.#readBy = this.connection.body.deadlines.coarseNow + LIMITS.decidingMs;
      this.connection.lingering.add(this);
    } else this.#leave();
    reader?.callerGone();
  }

  #leave(): void {
    if (this.#phase === "lingering") this.connection.lingering.delete(this);
    this.#phase = "over";
    this.connection.body.deadlines.delete(this);
  }

  #tunnelOver(pipe: StreamPipe): void {
    this.#stream.receiver = this;
    this.connection.tunnelClosed(pipe);
    this.#over();
    if (this.#stream.closed) this.#leave();
    else this.#readInTime();
  }
}

const CONTINUE: Fields = [":status", "100"];

/** Extended CONNECT is answered without it (RFC 8441 section 5). */
function withoutAccept(fields: Fields): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === "sec-websocket-accept") continue;
    kept.push(fields[index] ?? "", fields[index + 1] ?? "");
  }
  return kept;
}

/**
 * One request on an HTTP/1.1 server connection and its answer: what the handler and the forwarder
 * hold. Chooses how the answer is framed and whether the connection can carry another request.
 *
 * It lives as long as its request. One that is kept longer can do no harm: once the answer has ended
 * or the caller is gone, every verb does nothing.
 */
import type { BodyKind, Fields, RequestHead } from "../model/http.ts";
import { getField } from "../wire/fields.ts";
import { askedUpgrade } from "../wire/websocket.ts";
import { type HeadFraming, writeInterimHead, writeResponseHead } from "../wire/http1/write-head.ts";
import type {
  BodyReader,
  ClientConnection,
  Exchange,
  ExchangeStream,
  ResponseBody,
} from "./exchange.ts";
import type { MessageWriter } from "./message-writer.ts";
import type { TunnelPipe, TunnelSide } from "./tunnel.ts";
import type { RequestBody } from "./request-body.ts";
import { invariant } from "./invariant.ts";

/** The connection as its exchange sees it. */
export interface ExchangeHost extends ClientConnection {
  readonly writer: MessageWriter;
  readonly body: RequestBody;
  /** Whether it takes another request after this one, as far as the connection is concerned. */
  readonly persistent: boolean;
  /** Bytes of request body that it is willing to drop to stay open. */
  readonly drainBytes: number;
  /** The `date` of an answer that is made now (RFC 9110 section 6.6.1). */
  date(): string;
  /** More waits to be read than may: the time that the caller has for it begins. */
  stalled(): void;
  /** Takes up input that waited for a reader. */
  bodyWanted(): void;
  /** The answer is complete; `close` when the connection must not carry another request. */
  answered(close: boolean): void;
  /** From now on its bytes are a tunnel's, those included that wait behind the request. */
  tunnel(side: TunnelSide): TunnelPipe;
  destroy(): void;
}

type Phase = "waiting" | "answering" | "over";

const CONTINUE = writeInterimHead(100, []);

export class ServerExchange implements Exchange, ExchangeStream {
  readonly head: RequestHead;
  readonly receivedAt: number;
  readonly connection: ExchangeHost;
  whenOver: (() => void) | undefined = undefined;
  owner: unknown = undefined;
  #phase: Phase = "waiting";
  #close = false;
  /** How the body goes out; `none` also where the head announced one that HEAD leaves out. */
  #kind: BodyKind = "none";
  /** Whether the caller still waits for `100 Continue`. */
  #expecting: boolean;

  constructor(connection: ExchangeHost, head: RequestHead, receivedAt: number) {
    this.connection = connection;
    this.head = head;
    this.receivedAt = receivedAt;
    this.#expecting = head.expectContinue && head.bodyKind !== "none";
  }

  get stream(): ExchangeStream {
    return this;
  }

  get gone(): boolean {
    return this.#phase === "over";
  }

  get bodyDone(): boolean {
    return this.connection.body.done;
  }

  reply(
    status: number,
    fields: Fields,
    body: string,
    options?: { readonly close?: boolean },
  ): void {
    if (this.#phase === "over") return;
    invariant(this.#phase === "waiting", "the exchange is being answered");
    const bytes = Buffer.from(body, "utf8");
    this.#close = options?.close === true || !this.#canPersist(this.connection.drainBytes);
    this.#begin(status, fields, { bodyKind: "length", contentLength: bytes.length });
    if (this.#kind === "length") this.connection.writer.write(bytes);
    this.end(undefined);
  }

  attach(reader: BodyReader): void {
    if (this.#phase !== "over") this.connection.body.attach(reader);
  }

  read(maxBytes: number): void {
    if (this.#phase === "over") return;
    const { connection } = this;
    connection.body.read(maxBytes);
    connection.bodyWanted();
    if (this.#expecting && this.#phase === "waiting" && connection.body.wanted) this.#continue();
  }

  pause(): void {
    if (this.#phase !== "over") this.connection.body.pause();
  }

  resume(): void {
    if (this.#phase === "over") return;
    this.connection.body.resume();
    this.connection.bodyWanted();
  }

  begin(status: number, fields: Fields, body: ResponseBody): void {
    if (this.#phase === "over") return;
    invariant(this.#phase === "waiting", "the exchange is being answered");
    // The service answers before it has the whole request, so it may stop reading: the caller
    // must not count on its body being read either (RFC 9112 section 9.3).
    this.#close = !this.#canPersist(0);
    this.#begin(status, fields, body);
  }

  write(bytes: Buffer): boolean {
    if (this.#phase !== "answering") return true;
    const room = this.connection.writer.write(bytes);
    if (!room) this.connection.stalled();
    return room;
  }

  flush(): void {
    if (this.#phase === "answering") this.connection.writer.flush();
  }

  end(trailers: Fields | undefined): void {
    if (this.#phase === "over") return;
    invariant(this.#phase === "answering", "no answer was begun");
    this.#phase = "over";
    this.connection.writer.end(trailers);
    this.whenOver?.();
    this.connection.answered(this.#close);
  }

  retract(): boolean {
    if (this.#phase !== "answering" || !this.connection.writer.retract()) return false;
    this.#phase = "waiting";
    return true;
  }

  abort(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.whenOver?.();
    this.connection.destroy();
  }

  upgrade(fields: Fields, side: TunnelSide): TunnelPipe | undefined {
    if (this.#phase === "over") return undefined;
    invariant(this.#phase === "waiting", "the exchange is being answered");
    const { writer } = this.connection;
    const framing: HeadFraming = { bodyKind: "none", contentLength: 0, connection: "upgrade" };
    const head = writeResponseHead(101, [...fields, "upgrade", "websocket"], framing);
    this.#phase = "answering";
    writer.begin(head, "none", 0);
    writer.end(undefined);
    return this.connection.tunnel(side);
  }

  /** The connection is gone. */
  drop(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.whenOver?.();
  }

  /** Whether an answer was begun. */
  get answering(): boolean {
    return this.#phase === "answering";
  }

  #continue(): void {
    this.#expecting = false;
    const { writer } = this.connection;
    writer.begin(CONTINUE, "none", 0);
    writer.end(undefined);
  }

  #canPersist(drainBytes: number): boolean {
    const { body, persistent } = this.connection;
    if (!this.head.keepAlive || !persistent || body.faulty) return false;
    // What a caller sends behind such a request may be frames already: no answer but 101 lets it
    // be read as another request.
    if (this.head.upgrade !== undefined && askedUpgrade(this.head) !== "none") return false;
    if (body.done) return true;
    // A caller that waits for 100 may or may not send its body now: there is no telling where the
    // next request begins (RFC 9110 section 10.1.1).
    return !this.#expecting && drainBytes > 0 && body.left <= drainBytes;
  }

  #begin(status: number, fields: Fields, body: ResponseBody): void {
    const framing = this.#framing(status, body);
    const dated =
      getField(fields, "date") === undefined ? [...fields, "date", this.connection.date()] : fields;
    const text = writeResponseHead(status, dated, framing);
    const bodiless = this.head.method === "HEAD" || status === 204 || status === 304;
    this.#phase = "answering";
    this.#kind = bodiless ? "none" : framing.bodyKind;
    this.connection.writer.begin(text, this.#kind, body.contentLength);
  }

  /** RFC 9112 section 6.3, for this caller: what it cannot read as chunked ends with the connection. */
  #framing(status: number, body: ResponseBody): HeadFraming {
    const { bodyKind, contentLength } = body;
    const { minorVersion, method } = this.head;
    if (status === 204) return this.#framed("none", 0);
    if (method === "HEAD" || status === 304) {
      const known = bodyKind !== "chunked" && bodyKind !== "until-close" && contentLength >= 0;
      return known ? this.#framed("length", contentLength) : this.#framed("none", 0);
    }
    if (bodyKind === "length") return this.#framed("length", contentLength);
    // An answer of HTTP/2 that ended with its head: here its length has to say so.
    if (bodyKind === "none") return this.#framed("length", 0);
    if (minorVersion === 1) return this.#framed("chunked", 0);
    this.#close = true;
    return this.#framed("until-close", 0);
  }

  #framed(bodyKind: BodyKind, contentLength: number): HeadFraming {
    const { minorVersion } = this.head;
    const connection = this.#close ? "close" : minorVersion === 0 ? "keep-alive" : undefined;
    return { bodyKind, contentLength, connection };
  }
}

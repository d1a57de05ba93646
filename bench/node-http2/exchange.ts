/**
 * A stream of `node:http2` as the exchange that our handler takes: the front of a sketch that shows
 * what the ready-made module costs. Behind it gate, audit and forwarding are Sallyport's own.
 *
 * It does for a stream what is needed to answer it well and fast, and no more: no limits, no
 * timeouts, no judgement of names and values, no trailers, no WebSocket. So it flatters the module.
 */
import { constants } from "node:http2";
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type {
  BodyReader,
  ClientConnection,
  Exchange,
  ExchangeStream,
} from "../../src/http/exchange.ts";
import type { Fields, RequestHead } from "../../src/model/http.ts";

const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR } = constants;

export interface ReceivedStream {
  readonly stream: ServerHttp2Stream;
  readonly flags: number;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

export class NodeHttp2Exchange implements Exchange, ExchangeStream {
  readonly head: RequestHead;
  readonly connection: ClientConnection;
  readonly receivedAt: number;
  whenOver: (() => void) | undefined = undefined;
  owner: unknown = undefined;
  bodyDone: boolean;
  readonly #stream: ServerHttp2Stream;
  #reader: BodyReader | undefined;
  /** Body bytes that go out together with the end, as nearly every answer is one piece. */
  #held: Buffer | undefined;
  #over = false;

  constructor(received: ReceivedStream, connection: ClientConnection, receivedAt: number) {
    const { stream, flags, rawHeaders } = received;
    this.#stream = stream;
    this.connection = connection;
    this.receivedAt = receivedAt;
    this.bodyDone = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    this.head = requestHead(rawHeaders, this.bodyDone);
    // What the error was does not matter: `close` follows, and the caller is gone.
    stream.on("error", ignore);
    stream.on("close", () => this.#closed());
  }

  get stream(): ExchangeStream {
    return this;
  }

  get gone(): boolean {
    return this.#over;
  }

  reply(status: number, fields: Fields, body: string): void {
    if (this.#over) return;
    this.#stream.respond(responseHeaders(status, fields));
    this.#finish();
    this.#stream.end(body);
  }

  attach(reader: BodyReader): void {
    this.#reader = reader;
  }

  read(): void {
    const reader = this.#reader;
    if (this.bodyDone) {
      reader?.bodyEnd(undefined);
      return;
    }
    this.#stream.on("data", (bytes: Buffer) => {
      reader?.bodyChunk(bytes);
      reader?.bodyIdle();
    });
    this.#stream.on("end", () => {
      this.bodyDone = true;
      reader?.bodyEnd(undefined);
    });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  begin(status: number, fields: Fields): void {
    if (!this.#over) this.#stream.respond(responseHeaders(status, fields));
  }

  write(bytes: Buffer): boolean {
    if (this.#over) return true;
    const before = this.#held;
    this.#held = bytes;
    return before === undefined || this.#write(before);
  }

  flush(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && !this.#over) this.#write(held);
  }

  end(): void {
    if (this.#over) return;
    this.#finish();
    if (this.#held === undefined) this.#stream.end();
    else this.#stream.end(this.#held);
  }

  retract(): boolean {
    return false;
  }

  abort(): void {
    if (this.#over) return;
    this.#finish();
    this.#stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  upgrade(): undefined {
    return undefined;
  }

  #write(bytes: Buffer): boolean {
    if (this.#stream.write(bytes)) return true;
    this.#stream.once("drain", () => this.#reader?.drained());
    return false;
  }

  #finish(): void {
    this.#over = true;
    this.#reader = undefined;
    this.whenOver?.();
  }

  #closed(): void {
    if (this.#over) return;
    const reader = this.#reader;
    this.#finish();
    reader?.callerGone();
  }
}

/** Pseudo-fields taken off, and what the gate asks of a head looked up, in one pass. */
function requestHead(raw: readonly string[], ended: boolean): RequestHead {
  const fields: string[] = ["host", ""];
  let method = "";
  let target = "";
  let host = "";
  let authorization: string | undefined;
  let authorizationCount = 0;
  let contentLength = -1;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    if (name === ":method") method = value;
    else if (name === ":path") target = value;
    else if (name === ":authority") host = value;
    else if (!name.startsWith(":")) {
      if (name === "authorization" && authorizationCount++ === 0) authorization = value;
      else if (name === "content-length") contentLength = Number(value);
      fields.push(name, value);
    }
  }
  fields[1] = host;
  const known = contentLength >= 0;
  const head = {
    version: "2" as const,
    method,
    target,
    minorVersion: 1 as const,
    fields,
    host,
    authorization,
    authorizationCount,
    bodyKind: bodyKindOf(ended, known),
    contentLength: known && !ended ? contentLength : 0,
    keepAlive: true,
    expectContinue: false,
    connectionOptions: undefined,
    upgrade: undefined,
  };
  return head;
}

function bodyKindOf(ended: boolean, known: boolean): RequestHead["bodyKind"] {
  if (ended) return "none";
  return known ? "length" : "chunked";
}

function responseHeaders(status: number, fields: Fields): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ":status": status };
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return headers;
}

function ignore(): void {}

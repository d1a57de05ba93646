/**
 * An exchange whose request body is read before it is known whether it will be forwarded, so that it can be
 * decided about. What was read is what goes on, to the byte and with its length: to the forwarder it is an
 * exchange like any other, to the caller's connection it is the reader.
 *
 * Refuses (as a fault, never by an exception) a body that is larger than asked for, malformed, too slow or
 * cut off, and one that the process has no room for. Its trailers are dropped: nobody has looked at them.
 */
import type { BodyFault, Fields, HeldBody, RequestHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import type { BodyReader, Exchange, ExchangeStream, ResponseBody } from "./exchange.ts";
import { Gathered } from "./gathered.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { invariant } from "./invariant.ts";
import type { TunnelPipe, TunnelSide } from "./tunnel.ts";

/** Reads the whole body; what it resolves with is a `HeldExchange` or the fault. Never rejects. */
export function holdBody(
  exchange: Exchange,
  { maxBytes, room }: { readonly maxBytes: number; readonly room: HeldBytes },
): Promise<HeldBody | BodyFault> {
  if (exchange.gone) return Promise.resolve(GONE);
  return new Promise((resolve) => {
    new HeldExchange(exchange, { room, gathered: new Gathered(maxBytes), resolve }).start(maxBytes);
  });
}

const GONE: BodyFault = Object.freeze({ fault: "caller-gone", detail: "gone within its body" });
const NOTHING = Buffer.alloc(0);

interface Holding {
  readonly room: HeldBytes;
  readonly gathered: Gathered;
  readonly resolve: (held: HeldBody | BodyFault) => void;
}

export class HeldExchange implements Exchange, ExchangeStream, BodyReader, HeldBody {
  /** As the service gets it: with the length of what was read. */
  head: RequestHead;
  whenOver: (() => void) | undefined = undefined;
  readonly #exchange: Exchange;
  readonly #inner: ExchangeStream;
  readonly #room: HeldBytes;
  /** While the body is read. */
  #holding: Holding | undefined;
  /** From then until it is delivered. */
  #body: Buffer | undefined;
  /** Bytes of the room that are ours. */
  #taken = 0;
  #reader: BodyReader | undefined;

  constructor(exchange: Exchange, holding: Holding) {
    this.#exchange = exchange;
    this.#inner = exchange.stream;
    this.#room = holding.room;
    this.#holding = holding;
    this.head = exchange.head;
    exchange.whenOver = () => {
      this.release();
      this.whenOver?.();
    };
  }

  start(maxBytes: number): void {
    this.#inner.attach(this);
    this.#inner.read(maxBytes);
  }

  // HeldBody: what the gate sees

  get bytes(): Buffer {
    return this.#body ?? NOTHING;
  }

  /** Of whoever will not forward it. */
  release(): void {
    this.#body = undefined;
    this.#leaveRoom();
  }

  // BodyReader: the caller's side

  bodyChunk(bytes: Buffer): void {
    const gathered = this.#holding?.gathered;
    if (gathered === undefined) return;
    if (!gathered.add(bytes)) {
      this.#settle({ fault: "body-too-large", detail: TOO_LARGE });
      return;
    }
    const more = gathered.capacity - this.#taken;
    if (!this.#room.take(more)) this.#settle({ fault: "overloaded", detail: NO_ROOM });
    else this.#taken += more;
  }

  bodyIdle(): void {}

  bodyEnd(): void {
    const gathered = this.#holding?.gathered;
    if (gathered === undefined) return;
    this.#body = gathered.take();
    this.head = { ...this.head, bodyKind: "length", contentLength: this.#body.length };
    this.#settle(this);
  }

  bodyFault(fault: Reason, detail: string): void {
    this.#settle({ fault, detail });
  }

  drained(): void {
    this.#reader?.drained();
  }

  callerGone(): void {
    this.#settle(GONE);
    this.#reader?.callerGone();
  }

  #settle(held: HeldBody | BodyFault): void {
    const holding = this.#holding;
    this.#holding = undefined;
    if (held !== this) this.#leaveRoom();
    holding?.resolve(held);
  }

  #leaveRoom(): void {
    this.#room.give(this.#taken);
    this.#taken = 0;
  }

  // Exchange and ExchangeStream: what the forwarder sees

  get connection(): Exchange["connection"] {
    return this.#exchange.connection;
  }

  get receivedAt(): number {
    return this.#exchange.receivedAt;
  }

  get gone(): boolean {
    return this.#exchange.gone;
  }

  get owner(): unknown {
    return this.#exchange.owner;
  }

  set owner(owner: unknown) {
    this.#exchange.owner = owner;
  }

  get stream(): ExchangeStream {
    return this;
  }

  reply(
    status: number,
    fields: Fields,
    body: string,
    options?: { readonly close?: boolean },
  ): void {
    this.#exchange.reply(status, fields, body, options);
  }

  attach(reader: BodyReader): void {
    this.#reader = reader;
  }

  read(maxBytes: number): void {
    const [reader, body] = [this.#reader, this.#body];
    invariant(reader !== undefined && body !== undefined, "a held body is delivered once");
    this.#body = undefined;
    if (body.length > maxBytes) {
      reader.bodyFault("body-too-large", TOO_LARGE);
      return;
    }
    if (body.length > 0) reader.bodyChunk(body);
    reader.bodyEnd(undefined);
  }

  pause(): void {}

  resume(): void {}

  get bodyDone(): boolean {
    return this.#body === undefined;
  }

  begin(status: number, fields: Fields, body: ResponseBody): void {
    // The service has answered: what it was sent is no longer waiting here or on its connection.
    this.#leaveRoom();
    this.#inner.begin(status, fields, body);
  }

  write(bytes: Buffer): boolean {
    return this.#inner.write(bytes);
  }

  flush(): void {
    this.#inner.flush();
  }

  end(trailers: Fields | undefined): void {
    this.#inner.end(trailers);
  }

  retract(): boolean {
    return this.#inner.retract();
  }

  abort(cancelled?: boolean): void {
    this.#inner.abort(cancelled);
  }

  upgrade(fields: Fields, side: TunnelSide): TunnelPipe | undefined {
    this.#leaveRoom();
    return this.#inner.upgrade(fields, side);
  }
}

const TOO_LARGE = "a body above the limit for bodies that are looked into";
const NO_ROOM = "no room for more bodies that are looked into";

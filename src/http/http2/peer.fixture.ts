/** The other end of an HTTP/2 connection, played by hand: every frame that comes is kept. */
import type { Socket } from "node:net";
import type { Fields } from "../../model/http.ts";
import { PREFACE } from "../../wire/http2/codes.ts";
import { type FrameFault, type FrameHandler, FrameReader } from "../../wire/http2/frame-reader.ts";
import { FrameWriter } from "../../wire/http2/frame-writer.ts";
import { HpackDecoder, isHpackFault } from "../../wire/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../wire/http2/hpack-encoder.ts";

export type Seen =
  | { readonly type: "data"; readonly id: number; readonly bytes: Buffer; readonly end: boolean }
  | {
      readonly type: "headers";
      readonly id: number;
      readonly fields: Fields;
      readonly end: boolean;
    }
  | { readonly type: "rst"; readonly id: number; readonly code: number }
  | { readonly type: "settings"; readonly pairs: readonly (readonly [number, number])[] }
  | { readonly type: "settingsAck" }
  | { readonly type: "ping"; readonly opaque: string; readonly ack: boolean }
  | { readonly type: "goaway"; readonly last: number; readonly code: number }
  | { readonly type: "windowUpdate"; readonly id: number; readonly increment: number }
  | { readonly type: "other"; readonly what: string };

export type SeenOf<T extends Seen["type"]> = Extract<Seen, { readonly type: T }>;

export class Http2Peer implements FrameHandler {
  readonly socket: Socket;
  readonly writer = new FrameWriter();
  readonly encoder = new HpackEncoder();
  readonly seen: Seen[] = [];
  closed = false;
  /** Whether SETTINGS are acknowledged and PINGs answered as they come. */
  polite = true;
  /** Whether windows are given back as DATA comes. */
  reading = true;
  readonly #decoder = new HpackDecoder({
    maxTableBytes: 4096,
    maxListBytes: 1024 * 1024,
    maxFields: 1000,
  });
  readonly #reader: FrameReader;
  #wake: (() => void)[] = [];

  constructor(socket: Socket, side: "client" | "server" = "client") {
    this.socket = socket;
    this.#reader = new FrameReader(this, {
      side,
      maxFrameBytes: 16_384,
      maxBlockBytes: 1024 * 1024,
      maxContinuations: 1000,
      maxSettings: 1000,
    });
    socket.on("data", (chunk: Buffer) => {
      this.#reader.read(chunk);
      this.flush();
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.#woken();
    });
  }

  /** Sends what a client begins with. */
  start(pairs: readonly (readonly [number, number])[] = []): this {
    this.socket.write(PREFACE);
    this.writer.settings(pairs);
    this.flush();
    return this;
  }

  flush(): void {
    for (const part of this.writer.take()) this.socket.write(part);
  }

  /** A request without a body, or the head of one. */
  request(id: number, fields: Fields = [], end = true): void {
    const method = end ? "GET" : "POST";
    this.section(id, requestHead({ ":method": method }, fields), end);
  }

  section(id: number, fields: Fields, end: boolean): void {
    this.writer.headers(id, this.encoder.encode(fields), end);
    this.flush();
  }

  send(id: number, bytes: string | Buffer, end = false): void {
    this.writer.data(id, Buffer.from(bytes as string, "latin1"), end);
    this.flush();
  }

  rst(id: number, code: number): void {
    this.writer.rstStream(id, code);
    this.flush();
  }

  /** A frame as it is told, valid or not. */
  raw(type: number, flags: number, id: number, payload: Buffer | string = ""): void {
    const bytes = Buffer.from(payload as string, "latin1");
    const frame = Buffer.alloc(9 + bytes.length);
    frame.writeUIntBE(bytes.length, 0, 3);
    frame[3] = type;
    frame[4] = flags;
    frame.writeUInt32BE(id, 5);
    bytes.copy(frame, 9);
    this.socket.write(frame);
  }

  /** The first frame of a type that satisfies `test`, come or to come. */
  async until<T extends Seen["type"]>(
    type: T,
    test: (seen: SeenOf<T>) => boolean = () => true,
  ): Promise<SeenOf<T>> {
    for (;;) {
      for (const seen of this.seen) {
        if (seen.type === type && test(seen as SeenOf<T>)) return seen as SeenOf<T>;
      }
      if (this.closed) {
        throw new Error(`closed before ${type}: ${JSON.stringify(this.seen.slice(-5))}`);
      }
      await this.#change();
    }
  }

  /** The answer on a stream, when its end has come. */
  async answer(
    id: number,
  ): Promise<{ status: string; fields: Fields; body: string; trailers: Fields | undefined }> {
    await this.#end(id);
    const heads: Fields[] = [];
    let body = "";
    for (const seen of this.seen) {
      if (seen.type === "headers" && seen.id === id) heads.push(seen.fields);
      else if (seen.type === "data" && seen.id === id) body += seen.bytes.toString("latin1");
    }
    const finals = heads.filter((fields) => !fields[1]?.startsWith("1"));
    const [fields = [], trailers] = finals;
    return { status: fields[1] ?? "", fields: fields.slice(2), body, trailers };
  }

  async #end(id: number): Promise<void> {
    for (;;) {
      for (const seen of this.seen) {
        if ((seen.type === "headers" || seen.type === "data") && seen.id === id && seen.end) return;
        if (seen.type === "rst" && seen.id === id) throw new Error(`reset: ${seen.code}`);
      }
      if (this.closed) throw new Error(`closed before an answer: ${JSON.stringify(this.seen)}`);
      await this.#change();
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) await this.#change();
  }

  // FrameHandler

  data(id: number, payload: Buffer, flags: { endStream: boolean; flowBytes: number }): void {
    this.#saw({ type: "data", id, bytes: payload, end: flags.endStream });
    if (!this.reading || flags.flowBytes === 0) return;
    this.writer.windowUpdate(0, flags.flowBytes);
    if (!flags.endStream) this.writer.windowUpdate(id, flags.flowBytes);
  }

  headers(id: number, block: Buffer, end: boolean): void {
    const fields = this.#decoder.decode(block);
    if (isHpackFault(fields)) throw new TypeError(fields.detail);
    this.#saw({ type: "headers", id, fields, end });
  }

  rstStream(id: number, code: number): void {
    this.#saw({ type: "rst", id, code });
  }

  settings(pairs: readonly (readonly [number, number])[]): void {
    this.#saw({ type: "settings", pairs });
    if (this.polite) this.writer.settingsAck();
  }

  settingsAck(): void {
    this.#saw({ type: "settingsAck" });
  }

  ping(opaque: Buffer, ack: boolean): void {
    this.#saw({ type: "ping", opaque: opaque.toString("latin1"), ack });
    if (this.polite && !ack) this.writer.ping(Buffer.from(opaque), true);
  }

  goaway(last: number, code: number): void {
    this.#saw({ type: "goaway", last, code });
  }

  windowUpdate(id: number, increment: number): void {
    this.#saw({ type: "windowUpdate", id, increment });
  }

  priority(): void {
    this.#saw({ type: "other", what: "priority" });
  }

  unknown(type: number): void {
    this.#saw({ type: "other", what: `frame ${type}` });
  }

  fault(fault: FrameFault): void {
    this.#saw({ type: "other", what: `fault: ${fault.detail}` });
  }

  #saw(seen: Seen): void {
    this.seen.push(seen);
    this.#woken();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A request head: what is usual, with other pseudo-fields where they are given. */
export function requestHead(pseudo: Record<string, string> = {}, fields: Fields = []): string[] {
  const all = {
    ":method": "GET",
    ":scheme": "http",
    ":authority": "a.test",
    ":path": "/",
    ...pseudo,
  };
  return [...Object.entries(all).flat(), ...fields];
}

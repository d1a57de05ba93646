/**
 * An HTTP/2 service that a test plays frame by frame, right or wrong. It writes frames and header
 * blocks by itself (literals without a table, RFC 7541 section 6.2.2), so that what it sends is not
 * bound to what our own writer can say.
 */
import { createServer, type Server, type Socket } from "node:net";
import { FLAG, FRAME, PREFACE } from "../../wire/http2/codes.ts";
import { HpackDecoder, isHpackFault } from "../../wire/http2/hpack-decoder.ts";
import { portOf } from "../loopback.fixture.ts";

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** One connection that the proxy has opened. */
export class RawHttp2 {
  readonly socket: Socket;
  /** All frames that came, those that were taken too. */
  readonly frames: RawFrame[] = [];
  closed = false;
  /** Hears of each frame as it comes. */
  heardFrame: ((frame: RawFrame) => void) | undefined;
  /** Whether SETTINGS and PING are acknowledged without being asked, once our own SETTINGS are out. */
  polite = true;
  #greeted = false;
  readonly #owed: RawFrame[] = [];
  readonly #decoder = new HpackDecoder({
    maxTableBytes: 4096,
    maxListBytes: 1 << 20,
    maxFields: 1000,
  });
  #input = Buffer.alloc(0);
  #prefaceRead = false;
  #taken = 0;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.#woken();
    });
  }

  send(type: number, flags: number, streamId: number, payload: Buffer | string = ""): void {
    this.socket.write(frame({ type, flags, streamId, payload: bytesOf(payload) }));
  }

  settings(pairs: readonly (readonly [id: number, value: number])[] = []): void {
    const payload = Buffer.alloc(pairs.length * 6);
    for (const [index, [id, value]] of pairs.entries()) {
      payload.writeUInt16BE(id, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    }
    this.send(FRAME.settings, 0, 0, payload);
    this.#greeted = true;
    for (const owed of this.#owed.splice(0)) this.#acknowledge(owed);
  }

  headers(streamId: number, fields: readonly string[], endStream = false): void {
    const flags = FLAG.endHeaders | (endStream ? FLAG.endStream : 0);
    this.send(FRAME.headers, flags, streamId, block(fields));
  }

  data(streamId: number, payload: Buffer | string, endStream = false): void {
    this.send(FRAME.data, endStream ? FLAG.endStream : 0, streamId, payload);
  }

  reset(streamId: number, code: number): void {
    this.send(FRAME.rstStream, 0, streamId, number32(code));
  }

  goaway(lastStreamId: number, code: number): void {
    this.send(FRAME.goaway, 0, 0, Buffer.concat([number32(lastStreamId), number32(code)]));
  }

  /** The next frame of this type that was not taken, and that of what came before it none is. */
  async next(type: number): Promise<RawFrame> {
    for (;;) {
      while (this.#taken < this.frames.length) {
        const found = this.frames[this.#taken];
        this.#taken += 1;
        if (found?.type === type) return found;
      }
      if (this.closed) throw new Error(`closed before a frame of type ${type}`);
      await this.#change();
    }
  }

  /** The next request: its stream and its header list. */
  async request(): Promise<{ readonly id: number; readonly fields: readonly string[] }> {
    const { streamId, payload } = await this.next(FRAME.headers);
    const fields = this.#decoder.decode(payload);
    if (isHpackFault(fields)) throw new Error(fields.detail);
    return { id: streamId, fields };
  }

  /** Waits until all that was sent has been read. */
  async heard(): Promise<void> {
    this.send(FRAME.ping, 0, 0, "heard me");
    while (!this.frames.some(({ payload }) => payload.equals(Buffer.from("heard me")))) {
      await this.#change();
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) await this.#change();
  }

  #read(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    if (!this.#prefaceRead) {
      if (this.#input.length < PREFACE.length) return;
      if (!this.#input.subarray(0, PREFACE.length).equals(PREFACE)) throw new Error("no preface");
      this.#prefaceRead = true;
      this.#input = this.#input.subarray(PREFACE.length);
    }
    while (this.#input.length >= 9 && this.#input.length >= 9 + this.#input.readUIntBE(0, 3)) {
      const length = this.#input.readUIntBE(0, 3);
      const payload = this.#input.subarray(9, 9 + length);
      const [type = 0, flags = 0] = this.#input.subarray(3, 5);
      const streamId = this.#input.readUInt32BE(5);
      this.frames.push({ type, flags, streamId, payload });
      this.heardFrame?.({ type, flags, streamId, payload });
      if (this.polite && (type === FRAME.settings || type === FRAME.ping) && flags === 0) {
        this.#acknowledge({ type, flags, streamId, payload });
      }
      this.#input = this.#input.subarray(9 + length);
    }
    this.#woken();
  }

  #acknowledge(asked: RawFrame): void {
    if (!this.#greeted) this.#owed.push(asked);
    else this.send(asked.type, FLAG.ack, 0, asked.type === FRAME.ping ? asked.payload : "");
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export class RawHttp2Service implements AsyncDisposable {
  readonly connections: RawHttp2[] = [];
  /** Plays connections that the test does not take. */
  play: ((connection: RawHttp2) => void) | undefined;
  readonly #server: Server;
  #taken = 0;
  #wake: (() => void)[] = [];

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => {
      const connection = new RawHttp2(socket);
      this.connections.push(connection);
      this.play?.(connection);
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  get port(): number {
    return portOf(this.#server);
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  /** The next connection, which has said its SETTINGS. */
  async accepted(
    settings: readonly (readonly [id: number, value: number])[] | "silent" = [],
  ): Promise<RawHttp2> {
    for (;;) {
      const connection = this.connections[this.#taken];
      if (connection !== undefined) {
        this.#taken += 1;
        if (settings !== "silent") connection.settings(settings);
        return connection;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A field block of literals that are not indexed: name, value, name, value, … */
export function block(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    parts.push(Buffer.from([0]), literal(fields[index] ?? ""), literal(fields[index + 1] ?? ""));
  }
  return Buffer.concat(parts);
}

export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function frame({ type, flags, streamId, payload }: RawFrame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541 section 5.2, without Huffman. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

function bytesOf(payload: Buffer | string): Buffer {
  return typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
}

/**
 * A WebSocket service and a client without a library, for examples, tests and benches: the frames of
 * RFC 6455 section 5 as they are, no extensions. The client can send any header field, which those
 * of browsers and runtimes cannot.
 */
import { hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export const OPCODE = { text: 1, binary: 2, close: 8 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Cuts bytes into frames. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #length = 0;
  /** Bytes that the next frame needs, as far as is known. */
  #needed = 2;

  push(bytes: Buffer): Frame[] {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#needed) return [];
    this.#pending = this.#chunks.length === 1 ? bytes : Buffer.concat(this.#chunks);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    this.#chunks = [this.#pending];
    this.#length = this.#pending.length;
    return frames;
  }

  #next(): Frame | undefined {
    const bytes = this.#pending;
    if (bytes.length < 2) return this.#wait(2);
    const second = bytes[1] ?? 0;
    const short = second & 0x7f;
    const masked = (second & 0x80) !== 0;
    const lengthEnd = short === 126 ? 4 : short === 127 ? 10 : 2;
    const start = lengthEnd + (masked ? 4 : 0);
    if (bytes.length < start) return this.#wait(start);
    const length =
      short === 126
        ? bytes.readUInt16BE(2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(2))
          : short;
    if (bytes.length < start + length) return this.#wait(start + length);
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (masked) unmask(payload, bytes.subarray(lengthEnd, start));
    this.#pending = bytes.subarray(start + length);
    return { opcode: (bytes[0] ?? 0) & 0x0f, payload };
  }

  #wait(needed: number): undefined {
    this.#needed = needed;
  }
}

/** One whole frame. What a client sends is masked. */
export function encodeFrame(opcode: number, payload: Buffer, masked: boolean): Buffer {
  const { length } = payload;
  const bit = masked ? 0x80 : 0;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = bit | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  const body = Buffer.from(payload);
  unmask(body, mask);
  return Buffer.concat([head, mask, body]);
}

function unmask(payload: Buffer, mask: Buffer): void {
  const [a = 0, b = 0, c = 0, d = 0] = mask;
  for (let index = 0; index < payload.length; index += 4) {
    payload[index] = (payload[index] ?? 0) ^ a;
    if (index + 1 < payload.length) payload[index + 1] = (payload[index + 1] ?? 0) ^ b;
    if (index + 2 < payload.length) payload[index + 2] = (payload[index + 2] ?? 0) ^ c;
    if (index + 3 < payload.length) payload[index + 3] = (payload[index + 3] ?? 0) ^ d;
  }
}

/** `code` and reason of a Close frame. */
export function closeReason({ payload }: Frame): { code: number; reason: string } {
  return {
    code: payload.length < 2 ? 1005 : payload.readUInt16BE(0),
    reason: payload.toString("utf8", 2),
  };
}

export interface WebSocketService {
  /** `host:port`. */
  readonly address: string;
  /** Sockets of the connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** Heads of the requests that came, as text. */
  readonly heads: readonly string[];
  /** Close frames that came from clients. */
  readonly closes: readonly { readonly code: number; readonly reason: string }[];
  close(): Promise<void>;
}

export interface WebSocketServiceOptions {
  readonly port?: number;
  /** The answer instead of the 101, given the head and that 101; undefined for it. */
  readonly answer?: (head: string, switching: string) => string | undefined;
}

/** Sends each message back to whom it came from. */
export async function startEchoService(
  options: WebSocketServiceOptions = {},
): Promise<WebSocketService> {
  const sockets = new Set<Socket>();
  const heads: string[] = [];
  const closes: { code: number; reason: string }[] = [];
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    serve(socket, options, { heads, closes });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: `${address}:${port}`,
    sockets,
    heads,
    closes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(
  socket: Socket,
  options: WebSocketServiceOptions,
  seen: { heads: string[]; closes: { code: number; reason: string }[] },
): void {
  let head = "";
  let reader: FrameReader | undefined;
  socket.on("drain", () => socket.resume());
  socket.on("data", (chunk: Buffer) => {
    let frames: Frame[] = [];
    if (reader !== undefined) frames = reader.push(chunk);
    else {
      head += chunk.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      seen.heads.push(head.slice(0, end + 4));
      const switching = switchingHead(head);
      const answer = options.answer?.(head, switching) ?? switching;
      socket.write(answer, "latin1");
      if (!answer.startsWith("HTTP/1.1 101 ")) {
        // The connection may carry another request.
        head = head.slice(end + 4);
        return;
      }
      reader = new FrameReader();
      frames = reader.push(Buffer.from(head.slice(end + 4), "latin1"));
    }
    for (const frame of frames) {
      if (frame.opcode === OPCODE.close) {
        seen.closes.push(closeReason(frame));
        socket.end(encodeFrame(OPCODE.close, frame.payload, false));
      } else if (!socket.write(encodeFrame(frame.opcode, frame.payload, false))) socket.pause();
    }
  });
}

function switchingHead(head: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? "";
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    "",
    "",
  ].join("\r\n");
}

function acceptOf(key: string): string {
  return hash("sha1", `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "base64");
}

/** The answer was not a 101; `head` is what it was. */
export class NotSwitched extends Error {
  override readonly name = "NotSwitched";
  readonly status: number;
  readonly head: string;

  constructor(head: string) {
    super(`not switched: ${head.split("\r\n", 1)[0]}`);
    this.status = Number(head.split(" ")[1]);
    this.head = head;
  }
}

export class WebSocketClient {
  readonly socket: Socket;
  /** Head of the 101. */
  readonly head: string;
  /** How it ended: what the Close frame said, or undefined where none came before the connection closed. */
  readonly ended: Promise<{ readonly code: number; readonly reason: string } | undefined>;
  #frames: Frame[] = [];
  #waiting: ((frame: Frame | undefined) => void)[] = [];
  #closed = false;

  private constructor(socket: Socket, head: string, rest: Buffer) {
    this.socket = socket;
    this.head = head;
    const reader = new FrameReader();
    let said: { code: number; reason: string } | undefined;
    this.ended = new Promise((resolve) => {
      const take = (chunk: Buffer): void => {
        for (const frame of reader.push(chunk)) {
          if (frame.opcode === OPCODE.close) {
            said = closeReason(frame);
            socket.end(encodeFrame(OPCODE.close, frame.payload, true));
          } else this.#received(frame);
        }
      };
      take(rest);
      socket.on("data", take);
      socket.on("close", () => {
        this.#closed = true;
        for (const waiting of this.#waiting.splice(0)) waiting(undefined);
        resolve(said);
      });
    });
  }

  /** Opens `ws://address` + target. Rejects with `NotSwitched` where the answer is no right 101. */
  static async open(
    address: string,
    target: string,
    fields: readonly string[] = [],
  ): Promise<WebSocketClient> {
    const colon = address.lastIndexOf(":");
    const socket = connect({
      host: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
      noDelay: true,
    });
    socket.on("error", () => undefined);
    const key = randomBytes(16).toString("base64");
    const lines = [
      `GET ${target} HTTP/1.1`,
      `Host: ${address}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${key}`,
      ...fields,
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    let text = "";
    const closed = once(socket, "close").then(() => undefined);
    while (!text.includes("\r\n\r\n")) {
      const [chunk] = ((await Promise.race([once(socket, "data"), closed])) ?? []) as [Buffer?];
      if (chunk === undefined) throw new NotSwitched(text);
      text += chunk.toString("latin1");
      socket.pause();
    }
    const end = text.indexOf("\r\n\r\n") + 4;
    const head = text.slice(0, end);
    const right = head
      .toLowerCase()
      .includes(`sec-websocket-accept: ${acceptOf(key).toLowerCase()}`);
    if (!head.startsWith("HTTP/1.1 101 ") || !right) {
      socket.destroy();
      throw new NotSwitched(text);
    }
    const client = new WebSocketClient(socket, head, Buffer.from(text.slice(end), "latin1"));
    socket.resume();
    return client;
  }

  send(message: string | Buffer): boolean {
    const text = typeof message === "string";
    const payload = text ? Buffer.from(message) : message;
    return this.socket.write(encodeFrame(text ? OPCODE.text : OPCODE.binary, payload, true));
  }

  /** The next message; undefined once the connection has closed. */
  next(): Promise<Frame | undefined> {
    const frame = this.#frames.shift();
    if (frame !== undefined || this.#closed) return Promise.resolve(frame);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends a message and gives what comes back as text. */
  async echo(message: string): Promise<string | undefined> {
    this.send(message);
    return (await this.next())?.payload.toString();
  }

  close(): void {
    this.socket.end(encodeFrame(OPCODE.close, Buffer.of(0x03, 0xe8), true));
  }

  #received(frame: Frame): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#frames.push(frame);
    else waiting(frame);
  }
}

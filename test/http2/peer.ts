/**
 * One end of an HTTP/2 connection, played by a test: it sends any bytes, keeps every frame that came,
 * and reads heads and bodies out of them. It judges nothing. What a well-behaved peer does on its own
 * (acknowledge SETTINGS and PING, give windows back) it does unless it is told not to.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import {
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
} from "node:tls";
import { CLIENT_PREFACE, FLAGS, TYPE } from "./codes.ts";
import {
  dataFrame,
  type Frame,
  frame,
  headersFrame,
  pingFrame,
  readFrames,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "./frames.ts";
import { encodeLiterals, type Field, PlainDecoder } from "./hpack.ts";

const LIMITS = {
  /** Milliseconds for something that must happen; only a failing test waits so long. */
  wait: 20_000,
} as const;

export type SettingPairs = readonly (readonly [id: number, value: number])[];

export interface PeerOptions {
  /** What it says in its first SETTINGS frame; undefined for the frame with nothing in it. */
  readonly settings?: SettingPairs;
  /** Sends nothing by itself at first: no preface, no SETTINGS. */
  readonly mute?: boolean;
  /** Acknowledges nothing. */
  readonly rude?: boolean;
  /** Gives no window back. */
  readonly keepsWindows?: boolean;
}

/** What came on one stream. */
export interface SeenStream {
  /** Each HEADERS with what continues it: 1xx, head, trailers. */
  readonly heads: (readonly Field[])[];
  body: Buffer;
  /** Whether END_STREAM has come. */
  ended: boolean;
  /** Code of a RST_STREAM. */
  reset: number | undefined;
}

export interface Goaway {
  readonly lastStreamId: number;
  readonly code: number;
}

export class Http2Peer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly streams = new Map<number, SeenStream>();
  /** The last GOAWAY that came. */
  goaway: Goaway | undefined;
  /** Settings that the other side has sent, the last value of each. */
  readonly settings = new Map<number, number>();
  /** How often the other side acknowledged ours. */
  acknowledged = 0;
  ended = false;
  closed = false;
  /** Of the connection: bytes that were received. */
  received = 0;
  readonly #options: PeerOptions;
  readonly #decoder = new PlainDecoder();
  #rest: Buffer = Buffer.alloc(0);
  #preface: number;
  #block: { streamId: number; endStream: boolean; parts: Buffer[] } | undefined;
  #wake: (() => void)[] = [];
  /** What broke this reader: a fault of the other side that no test expects. */
  #fault: Error | undefined;

  constructor(socket: Socket, role: "client" | "server", options: PeerOptions = {}) {
    this.socket = socket;
    this.#options = options;
    this.#preface = role === "server" ? CLIENT_PREFACE.length : 0;
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("end", () => {
      this.ended = true;
      this.#woken();
    });
    // A reset is an answer too: what counts is that the connection is over.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.closed = true;
      this.#woken();
    });
    if (options.mute === true) return;
    if (role === "client") this.send(CLIENT_PREFACE);
    this.send(settingsFrame(options.settings ?? []));
  }

  /** A caller at `host:port`, connected. */
  static async open(
    address: string,
    options: PeerOptions & { readonly tls?: boolean | Readonly<Record<string, unknown>> } = {},
  ): Promise<Http2Peer> {
    const colon = address.lastIndexOf(":");
    const to = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
    const { tls = false } = options;
    if (tls === false) {
      const socket = connect({ ...to, noDelay: true, allowHalfOpen: true });
      await once(socket, "connect");
      return new Http2Peer(socket, "client", options);
    }
    const given = tls === true ? {} : tls;
    const socket = connectTls({
      ...to,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
      ...given,
    });
    await once(socket, "secureConnect");
    socket.setNoDelay(true);
    return new Http2Peer(socket, "client", options);
  }

  // Sending

  send(...parts: readonly Buffer[]): void {
    if (!this.closed) this.socket.write(Buffer.concat(parts));
  }

  /** HEADERS in one frame; ends the stream unless told otherwise. */
  headers(streamId: number, fields: readonly Field[], endStream = true): void {
    const flags = FLAGS.endHeaders | (endStream ? FLAGS.endStream : 0);
    this.send(headersFrame(streamId, encodeLiterals(fields), flags));
  }

  data(streamId: number, body: Buffer | string, endStream = false): void {
    this.send(dataFrame(streamId, body, endStream ? FLAGS.endStream : 0));
  }

  /** An honest GET; its answer. */
  get(streamId: number, path = "/", more: readonly Field[] = []): Promise<SeenStream> {
    this.headers(streamId, [...requestFields("GET", path), ...more]);
    return this.answer(streamId);
  }

  /** Reads no more, so that what the other side sends piles up there. */
  stall(): void {
    this.socket.pause();
  }

  destroy(): void {
    this.socket.destroy();
  }

  // Looking

  stream(streamId: number): SeenStream {
    const seen = this.streams.get(streamId);
    if (seen !== undefined) return seen;
    const made: SeenStream = {
      heads: [],
      body: Buffer.alloc(0),
      ended: false,
      reset: undefined,
    };
    this.streams.set(streamId, made);
    return made;
  }

  /** How many frames of a type have come, on one stream or on all. */
  count(type: number, streamId?: number): number {
    return this.frames.filter(
      (one) => one.type === type && (streamId === undefined || one.streamId === streamId),
    ).length;
  }

  /** Waits until a stream is over, by END_STREAM or RST_STREAM. */
  async answer(streamId: number): Promise<SeenStream> {
    const seen = this.stream(streamId);
    await this.until(`the end of stream ${streamId}`, () => {
      return seen.ended || seen.reset !== undefined;
    });
    return seen;
  }

  /** Waits until the other side has closed; the code that it gave, undefined for none. */
  async gone(): Promise<number | undefined> {
    await this.until("the end of the connection", () => this.ended || this.closed);
    return this.goaway?.code;
  }

  /** Waits for the answer to a PING: whatever was sent before it has been read. */
  async roundTrip(): Promise<void> {
    const opaque = `ping${String(this.frames.length).padStart(4, "0").slice(-4)}`;
    this.send(pingFrame(opaque));
    await this.until("the answer to a PING", () =>
      this.frames.some(
        ({ type, flags, payload }) =>
          type === TYPE.ping && flags === FLAGS.ack && payload.toString("latin1") === opaque,
      ),
    );
  }

  async until(what: string, holds: () => boolean, ms: number = LIMITS.wait): Promise<void> {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), ms);
    try {
      while (!holds()) {
        if (this.#fault !== undefined) throw this.#fault;
        if (this.closed) throw new Error(`closed before ${what}: ${this.#story()}`);
        if ((await Promise.race([this.#change(), late.promise])) === "late") {
          throw new Error(`not in time: ${what}: ${this.#story()}`);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Settles when anything has come or the connection has changed. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** For a message: what came last. */
  #story(): string {
    return this.frames
      .slice(-8)
      .map(({ type, flags, streamId, payload }) => {
        return `[type ${type} flags ${flags} stream ${streamId} ${payload.toString("latin1").slice(0, 40)}]`;
      })
      .join(" ");
  }

  // Receiving

  #received(chunk: Buffer): void {
    this.received += chunk.length;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    try {
      this.#read();
    } catch (error) {
      this.#fault ??= error as Error;
    }
    this.#woken();
  }

  #read(): void {
    if (this.#preface > 0) {
      if (this.#rest.length < this.#preface) return;
      if (!this.#rest.subarray(0, this.#preface).equals(CLIENT_PREFACE)) {
        throw new Error("the client did not begin with its preface");
      }
      this.#rest = this.#rest.subarray(this.#preface);
      this.#preface = 0;
    }
    const { frames, rest } = readFrames(this.#rest);
    this.#rest = rest;
    for (const one of frames) {
      this.frames.push(one);
      this.#take(one);
    }
  }

  #take({ type, flags, streamId, payload }: Frame): void {
    if (type === TYPE.data) this.#takeData(streamId, unpadded(payload, flags), payload.length);
    if (type === TYPE.data && (flags & FLAGS.endStream) !== 0) this.stream(streamId).ended = true;
    if (type === TYPE.headers) {
      const bytes = unpadded(payload, flags);
      const part = (flags & FLAGS.priority) === 0 ? bytes : bytes.subarray(5);
      this.#block = { streamId, endStream: (flags & FLAGS.endStream) !== 0, parts: [part] };
    }
    if (type === TYPE.continuation) this.#block?.parts.push(payload);
    const heads = type === TYPE.headers || type === TYPE.continuation;
    if (heads && (flags & FLAGS.endHeaders) !== 0) this.#takeHead();
    if (type === TYPE.rstStream) this.stream(streamId).reset = payload.readUInt32BE(0);
    if (type === TYPE.settings) this.#takeSettings(flags, payload);
    if (type === TYPE.ping && flags === 0 && this.#options.rude !== true) {
      this.send(frame(TYPE.ping, FLAGS.ack, 0, payload));
    }
    if (type === TYPE.goaway) {
      this.goaway = {
        lastStreamId: payload.readUInt32BE(0),
        code: payload.readUInt32BE(4),
      };
    }
  }

  #takeHead(): void {
    const block = this.#block;
    if (block === undefined) throw new Error("CONTINUATION of nothing");
    this.#block = undefined;
    const stream = this.stream(block.streamId);
    stream.heads.push(this.#decoder.decode(Buffer.concat(block.parts)));
    if (block.endStream) stream.ended = true;
  }

  #takeData(streamId: number, payload: Buffer, flowBytes: number): void {
    const stream = this.stream(streamId);
    stream.body = Buffer.concat([stream.body, payload]);
    if (this.#options.keepsWindows === true || flowBytes === 0) return;
    this.send(windowUpdateFrame(0, flowBytes), windowUpdateFrame(streamId, flowBytes));
  }

  #takeSettings(flags: number, payload: Buffer): void {
    if ((flags & FLAGS.ack) !== 0) {
      this.acknowledged += 1;
      return;
    }
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      this.settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    if (this.#options.rude !== true) this.send(settingsAckFrame());
  }
}

/** What a request begins with. */
export function requestFields(
  method: string,
  path: string,
  { scheme = "http", authority = "api.example" } = {},
): Field[] {
  return [
    [":method", method],
    [":scheme", scheme],
    [":path", path],
    [":authority", authority],
  ];
}

/** The status of the final answer; undefined where none came. */
export function statusOf({ heads }: SeenStream): number | undefined {
  for (const head of heads) {
    const status = Number(head.find(([name]) => name === ":status")?.[1]);
    if (status >= 200) return status;
  }
  return undefined;
}

/** The fields of the final answer, pseudo-fields too. */
export function answerFields(stream: SeenStream): readonly Field[] {
  const final = stream.heads.find(
    (head) => Number(head.find(([name]) => name === ":status")?.[1]) >= 200,
  );
  return final ?? [];
}

function unpadded(payload: Buffer, flags: number): Buffer {
  if ((flags & FLAGS.padded) === 0) return payload;
  return payload.subarray(1, payload.length - (payload[0] ?? 0));
}

export interface Http2ServiceOptions extends PeerOptions {
  /** Speaks TLS with ALPN `h2`. */
  readonly tls?: TlsOptions;
}

/** A service that speaks HTTP/2: the test plays each of its connections. */
export class Http2Service {
  readonly connections: Http2Peer[] = [];
  /** Called with each connection as it comes. */
  onConnection: ((peer: Http2Peer) => void) | undefined;
  readonly #server: Server;
  #taken = 0;
  #wake: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(options: Http2ServiceOptions = {}): Promise<Http2Service> {
    const { tls } = options;
    const server =
      tls === undefined
        ? createServer({ allowHalfOpen: true, noDelay: true })
        : createTlsServer({ ALPNProtocols: ["h2"], ...tls });
    const service = new Http2Service(server);
    server.on(
      tls === undefined ? "connection" : "secureConnection",
      (socket: Socket | TLSSocket) => {
        const peer = new Http2Peer(socket, "server", options);
        service.connections.push(peer);
        service.onConnection?.(peer);
        for (const wake of service.#wake.splice(0)) wake();
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next connection that the proxy opens. */
  async accepted(): Promise<Http2Peer> {
    for (;;) {
      const connection = this.connections[this.#taken];
      if (connection !== undefined) {
        this.#taken += 1;
        return connection;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A WebSocket on a stream of HTTP/2 (RFC 8441), played by a test: several share one connection. */
import {
  closeReason,
  encodeFrame,
  type Frame,
  FrameReader,
  OPCODE,
} from "../../examples/websocket-service.ts";
import type { Field } from "./hpack.ts";
import { type Http2Peer, type SeenStream, statusOf } from "./peer.ts";

export class Http2WebSocket {
  readonly id: number;
  /** Of the answer to CONNECT. */
  readonly stream: SeenStream;
  readonly #peer: Http2Peer;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #read = 0;
  #taken = 0;
  #closing = false;

  private constructor(peer: Http2Peer, id: number) {
    this.#peer = peer;
    this.id = id;
    this.stream = peer.stream(id);
  }

  /** Sends CONNECT and waits for the answer, whatever it is. */
  static async open(
    peer: Http2Peer,
    id: number,
    path: string,
    more: readonly Field[] = [],
  ): Promise<Http2WebSocket> {
    peer.headers(id, [...connectFields(path), ["sec-websocket-version", "13"], ...more], false);
    const socket = new Http2WebSocket(peer, id);
    await peer.until("an answer", () => {
      const { stream } = socket;
      return statusOf(stream) !== undefined || stream.reset !== undefined;
    });
    return socket;
  }

  get status(): number | undefined {
    return statusOf(this.stream);
  }

  send(text: string): void {
    this.#peer.data(this.id, encodeFrame(OPCODE.text, Buffer.from(text), true));
  }

  async echo(text: string): Promise<string> {
    this.send(text);
    return String((await this.next()).payload);
  }

  async next(): Promise<Frame> {
    await this.#peer.until("a message", () => this.#take() > this.#taken);
    const frame = this.#frames[this.#taken];
    this.#taken += 1;
    if (frame === undefined) throw new TypeError("no message");
    return frame;
  }

  /** What the Close frame said that ended it; it is answered, as RFC 6455 section 5.5.1 wants. */
  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    const frame = await this.next();
    if (frame.opcode !== OPCODE.close) throw new Error(`opcode ${frame.opcode}, not Close`);
    // Ours went out before: this is the answer to it, and is not answered.
    const reply = this.#closing ? "" : encodeFrame(OPCODE.close, frame.payload, true);
    this.#peer.data(this.id, reply, true);
    return closeReason(frame);
  }

  /** Says that this side has had enough. */
  close(code: number): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#closing = true;
    this.#peer.data(this.id, encodeFrame(OPCODE.close, payload, true));
  }

  #take(): number {
    const fresh = this.stream.body.subarray(this.#read);
    this.#read = this.stream.body.length;
    if (fresh.length > 0) this.#frames.push(...this.#reader.push(Buffer.from(fresh)));
    return this.#frames.length;
  }
}

/** The pseudo-fields of an extended CONNECT. */
export function connectFields(path: string, protocol = "websocket"): Field[] {
  return [
    [":method", "CONNECT"],
    [":protocol", protocol],
    [":scheme", "http"],
    [":path", path],
    [":authority", "api.example"],
  ];
}

/**
 * One end of a tunnel that runs in a stream (RFC 8441 section 4): bytes are DATA, the end of a side is
 * END_STREAM, and what breaks it is RST_STREAM. For callers and for services alike.
 */
import { H2_ERROR } from "../../wire/http2/codes.ts";
import type { TunnelPipe, TunnelSide } from "../tunnel.ts";
import type { Http2Stream, Section, StreamReceiver } from "./stream.ts";

export class StreamPipe implements TunnelPipe, StreamReceiver {
  /** What came behind the head waits in the stream. */
  readonly rest: Buffer = EMPTY;
  readonly #stream: Http2Stream;
  readonly #over: () => void;
  #side: TunnelSide | undefined;
  #paused = false;
  #ended = false;

  /** `over`: the tunnel lets go of the stream, or has lost it. Called once; who has it then becomes its receiver. */
  constructor(stream: Http2Stream, side: TunnelSide, over: () => void) {
    this.#stream = stream;
    this.#side = side;
    this.#over = over;
    stream.receiver = this;
    stream.pause();
    // Not before the tunnel has both of its ends.
    queueMicrotask(() => {
      if (!this.#paused) stream.resume();
    });
  }

  /** Who owns the connection ends it. */
  draining(): void {
    this.#side?.draining();
  }

  // TunnelPipe

  write(bytes: Buffer): boolean {
    if (this.#ended) return true;
    const room = this.#stream.write(bytes);
    this.#stream.flush();
    return room;
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.end(undefined);
  }

  finish(): void {
    if (this.#side === undefined) return;
    this.#side = undefined;
    // Before the end goes out, with which the stream may close.
    this.#over();
    this.#stream.discard();
    this.end();
  }

  // StreamReceiver

  headers(_section: Section, endStream: boolean): void {
    if (endStream) this.#side?.ended();
    else this.#stream.violate(H2_ERROR.protocolError, "HEADERS within a tunnel");
  }

  data(bytes: Buffer): void {
    this.#side?.data(bytes);
  }

  idle(): void {}

  ended(): void {
    this.#side?.ended();
  }

  drained(): void {
    this.#side?.drained();
  }

  closed(): void {}

  reset(): void {
    const side = this.#side;
    if (side === undefined) return;
    this.#side = undefined;
    this.#over();
    side.gone();
  }
}

const EMPTY = Buffer.alloc(0);

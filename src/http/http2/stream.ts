/**
 * One stream of a connection, whichever end opened it (RFC 9113 section 5): its state, what it
 * receives, and, in `stream-output.ts`, what it sends.
 *
 * Received bytes are allowed again to the peer only as they are consumed, so a reader that pauses
 * stops the peer on this stream and on no other; what is under way by then waits here, at most one
 * window of it.
 *
 * Who calls what: frames come in by the `received…` verbs, called by `connection.ts` alone, and go on to
 * the `receiver`, which the end (server.ts, client.ts) sets as soon as it has the stream. The end sends
 * by `begin`, `interim`, `write`, `flush`, `end`, `retract`, and ends it early by `reset` or `discard`.
 */
import type { Fields } from "../../model/http.ts";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import type { HpackFault } from "../../wire/http2/hpack-decoder.ts";
import { isWhole, releaseMemory } from "../message-writer.ts";
import type { Outbox } from "./outbox.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { StreamOutput } from "./stream-output.ts";

const LIMITS = {
  /** Bytes up to which memory is taken from the runtime's pool, which costs less and cannot be given back. */
  pooled: 2048,
} as const;

/** A decoded field section, or that it was too large (`fault` is never `compression` here). */
export type Section = Fields | HpackFault;

/**
 * Who hears of a stream. The last call is `closed` or `reset`; before it, what is received ends with
 * `ended` or `headers` with END_STREAM.
 */
export interface StreamReceiver {
  /** A head, an interim head, or trailers; a server does not hear of the first one here. */
  headers(section: Section, endStream: boolean): void;
  /**
   * Body bytes, never none: all that one read had in a row. The buffer is the receiver's to keep. Not
   * called while paused.
   */
  data(bytes: Buffer): void;
  /**
   * No more is at hand for now. Follows every read that had `headers` or `data` and not the end, and
   * every `resume`.
   */
  idle(): void;
  /** END_STREAM, where no trailers brought it. */
  ended(): void;
  /** After `write` returned false: the peer took it. */
  drained(): void;
  /** Both sides have ended. What was received may still wait here to be delivered, if it is paused. */
  closed(): void;
  /** It is over early, though not by its own `reset`. */
  reset(cause: StreamReset): void;
}

export interface StreamReset {
  /** `peer`: by RST_STREAM. `us`: the peer broke a rule on it. `connection`: all of it is gone. */
  readonly by: "peer" | "us" | "connection";
  /** One of `H2_ERROR`. */
  readonly code: number;
  /** The peer has said that it did not and will not act on it (section 8.7). */
  readonly unprocessed: boolean;
  /** For the operator. */
  readonly detail: string;
}

/** The connection as its streams see it. */
export interface StreamHost {
  readonly outbox: Outbox;
  /** The window that each stream gives its peer. */
  readonly streamWindow: number;
  /** What it grows to where its bytes are taken. */
  readonly grownWindow: number;
  /** Gives the next number to a stream of ours and enters it. */
  number(stream: Http2Stream): { readonly id: number; readonly window: number };
  /** Its receiver wants `idle` when this read is over. */
  touched(stream: Http2Stream): void;
  /** It has ended both ways. */
  finished(stream: Http2Stream): void;
  /** Our side has ended and nobody wants what the peer may still send. */
  unwanted(stream: Http2Stream): void;
  /** We reset it. */
  resetByUs(stream: Http2Stream, code: number): void;
  /** The peer broke a rule on it. */
  violated(stream: Http2Stream, code: number, detail: string): void;
}

export class Http2Stream extends StreamOutput {
  receiver: StreamReceiver | undefined;
  /** Monotonic milliseconds, coarse, at which the peer began it. */
  openedAt = 0;
  /** Whether the peer has ended its side; there may be bytes that wait to be delivered. */
  remoteEnded = false;
  /** Whether it is in the connection's list of those that `idle` is owed. The connection's alone. */
  listed = false;
  readonly #host: StreamHost;
  readonly #window: ReceiveWindow;
  #paused = false;
  #discarding = false;
  /** Payloads of the read that is under way. */
  #gathered: Buffer[] | undefined;
  #held: ReceiveQueue | undefined;
  /** What stands behind the bytes that are held: trailers, the bare end, or that nothing follows. */
  #heldEnd: Section | "end" | StreamReset | undefined;

  constructor(id: number, host: StreamHost, sendWindow: number) {
    super(id, host.outbox, sendWindow);
    this.#host = host;
    this.#window = new ReceiveWindow(host.streamWindow, host.grownWindow);
  }

  /** Stops and starts delivery: after `pause` nothing comes until `resume`, which may deliver at once. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#held !== undefined) this.#deliverHeld(this.#held);
    if (this.#paused) return;
    if (this.#heldEnd !== undefined) this.#deliverEnd(this.#heldEnd);
    else if (!this.remoteEnded) this.receiver?.idle();
  }

  /**
   * Nobody wants what the peer sends on it any more. It is dropped, and once our side has ended, the
   * peer is told to stop (RFC 9113 section 8.1). Of what is received the receiver hears nothing more.
   */
  discard(): void {
    this.#discarding = true;
    this.#gathered = undefined;
    this.#held = undefined;
    this.#heldEnd = undefined;
    if (!this.closed && this.localEnded && !this.remoteEnded) this.#host.unwanted(this);
  }

  /** The peer broke a rule that only the receiver knows: the stream is reset, and `reset` follows. */
  violate(code: number, detail: string): void {
    this.#host.violated(this, code, detail);
  }

  /** Ends it at once, both ways. The receiver is not called any more. */
  reset(code: number): void {
    this.receiver = undefined;
    this.#gathered = undefined;
    this.#held = undefined;
    this.#heldEnd = undefined;
    if (this.closed) return;
    this.drop();
    this.#host.resetByUs(this, code);
  }

  // Called by the connection alone

  receivedHeaders(section: Section, endStream: boolean): void {
    this.#deliverGathered();
    if (endStream) this.remoteEnded = true;
    if (!this.#discarding) {
      // Trailers wait behind a body that does, and until somebody wants to know its end.
      if (endStream && (this.#paused || this.#waiting)) this.#heldEnd = section;
      else if (!this.#waiting) this.receiver?.headers(section, endStream);
      else this.violate(H2_ERROR.protocolError, "HEADERS within a body");
    }
    if (endStream) this.#settle();
    else if (!this.listed && !this.#discarding) this.#host.touched(this);
  }

  receivedData(payload: Buffer, endStream: boolean, flowBytes: number): void {
    if (!this.#window.take(flowBytes)) {
      this.violate(H2_ERROR.flowControlError, "more DATA than the stream's window");
      return;
    }
    if (endStream) this.remoteEnded = true;
    if (!this.#discarding) {
      this.#consume(flowBytes - payload.length);
      if (payload.length > 0) (this.#gathered ??= []).push(payload);
    }
    if (endStream) {
      this.#deliverGathered();
      if (!this.#discarding) {
        if (this.#paused) this.#heldEnd = "end";
        else this.receiver?.ended();
      }
      this.#settle();
    } else if (!this.listed && !this.#discarding) this.#host.touched(this);
  }

  /** The read that had bytes for it is over. */
  readOver(): void {
    this.listed = false;
    this.#deliverGathered();
    if (!this.remoteEnded && !this.#paused) this.receiver?.idle();
  }

  /** It is over early. */
  receivedReset(cause: StreamReset): void {
    const receiver = this.receiver;
    this.receiver = undefined;
    this.#gathered = undefined;
    this.#held = undefined;
    this.drop();
    receiver?.reset(cause);
  }

  /** The peer sends and wants nothing more and says that all is well: what it sent before still counts. */
  receivedStop(cause: StreamReset): void {
    this.#deliverGathered();
    this.drop();
    if (this.remoteEnded) this.receiver?.closed();
    else if (this.#waiting) this.#heldEnd = cause;
    else this.receivedReset(cause);
  }

  // StreamOutput

  protected override numbered(): number {
    const { id, window } = this.#host.number(this);
    this.id = id;
    return window;
  }

  protected override ended(): void {
    if (this.remoteEnded) this.#settle();
    else if (this.#discarding) this.#host.unwanted(this);
  }

  protected override drained(): void {
    this.receiver?.drained();
  }

  #settle(): void {
    if (this.closed || !this.remoteEnded || !this.localEnded) return;
    this.closed = true;
    this.#host.finished(this);
    this.receiver?.closed();
  }

  /** Whether something stands before what comes next. */
  get #waiting(): boolean {
    return this.#held !== undefined && !this.#held.empty;
  }

  /** Frames become one piece again: each would cost a write or two of its own to where it goes. */
  #deliverGathered(): void {
    const gathered = this.#gathered;
    if (gathered === undefined || gathered.length === 0) return;
    this.#gathered = undefined;
    if (this.#paused) {
      this.#held ??= new ReceiveQueue();
      for (const bytes of gathered) this.#held.add(bytes);
      for (const bytes of gathered) releaseMemory(bytes);
    } else this.#deliver(joined(gathered));
  }

  #deliver(bytes: Buffer): void {
    // Before: whoever takes the bytes may have given their memory back when it returns.
    const { length } = bytes;
    this.receiver?.data(bytes);
    this.#consume(length);
  }

  #deliverHeld(held: ReceiveQueue): void {
    while (!this.#paused && !this.#discarding) {
      const piece = held.take();
      if (piece === undefined) break;
      this.#deliver(piece);
    }
    if (held.empty) this.#held = undefined;
  }

  #deliverEnd(end: Section | "end" | StreamReset): void {
    this.#heldEnd = undefined;
    if (end === "end") this.receiver?.ended();
    else if ("by" in end) this.receivedReset(end);
    else this.receiver?.headers(end, true);
  }

  /** Allows the peer as much again. */
  #consume(bytes: number): void {
    if (this.remoteEnded || this.closed || this.#discarding) return;
    const given = this.#window.give(bytes);
    if (given > 0) this.outbox.windowUpdate(this.id, given);
  }
}

/**
 * A part of a read would hold on to all of it until the collector comes; so each piece gets memory of its
 * own, and both are given back as soon as they have been used (connection.ts, message-writer.ts). On an
 * upload of 500 MB the collector took a quarter of the time.
 */
function joined(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  // A frame that came in pieces was put together in memory of its own already.
  if (pieces.length === 1 && first !== undefined && isWhole(first)) return first;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const whole =
    length > LIMITS.pooled ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) {
    at += piece.copy(whole, at);
    releaseMemory(piece);
  }
  return whole;
}

/**
 * The sending half of a stream: what waits to go out, and how much of it may (RFC 9113 section 6.9).
 *
 * A head is held back until `flush`, `end` or enough of a body, so that it can be taken back while no
 * byte of it has gone out: header compression allows no second thoughts. What the windows or the
 * socket do not take waits here, within a bound, and `write` says so.
 */
import type { Fields } from "../../model/http.ts";
import { SIZE } from "../../wire/http2/codes.ts";
import { invariant } from "../invariant.ts";
import type { Outbox, Progress, Sender } from "./outbox.ts";

const LIMITS = {
  /** Body bytes that wait with a head for more. */
  held: 16 * 1024,
  /** Bytes of a stream that may wait before its source is paused; bounds memory per stream. */
  backlog: 64 * 1024,
  /** The same where the streams of the connection hold much together: a frame. */
  crowdedBacklog: 16 * 1024,
  /**
   * What windows cut to less than this is of the peer's making. A window of a kilobyte, which small
   * devices have, is given back in halves.
   */
  dribble: 256,
  /** When so little waits, the source may go on: soon enough that the peer never runs dry. */
  relieved: 16 * 1024,
} as const;

export abstract class StreamOutput implements Sender {
  /** 0 until the first HEADERS of a stream of ours is written: identifiers go up in that order. */
  id: number;
  /** Whether the stream stands in the outbox's line. The outbox's alone. */
  lined = false;
  /** Whether END_STREAM was written. */
  localEnded = false;
  /** Whether the stream has ended both ways or was reset: nothing can be sent any more. */
  closed = false;
  protected readonly outbox: Outbox;
  #window: number;
  #head: Fields | undefined;
  #begun = false;
  readonly #pieces: Buffer[] = [];
  /** Bytes of the first piece that are sent. */
  #sent = 0;
  #queued = 0;
  #ending = false;
  #trailers: Fields | undefined;
  /** Whether `write` returned false. */
  #full = false;

  constructor(id: number, outbox: Outbox, window: number) {
    this.id = id;
    this.outbox = outbox;
    this.#window = window;
  }

  /** Whether all that was given has been written, its end included or not. */
  get idle(): boolean {
    return this.#queued === 0 && this.#head === undefined;
  }

  /** Whether the head of what we send has gone out. */
  get answered(): boolean {
    return this.#begun && this.#head === undefined;
  }

  /** Whether the source was told to wait. */
  get full(): boolean {
    return this.#full;
  }

  /** Holds the head of a request or of a final answer. */
  begin(head: Fields): void {
    invariant(!this.#begun && !this.#ending, "a head after the head");
    this.#begun = true;
    if (!this.closed) this.#head = head;
  }

  /** Writes the head of an interim answer. */
  interim(head: Fields): void {
    invariant(!this.#begun, "an interim answer after the head");
    if (!this.closed) this.outbox.headers(this.id, head, false);
  }

  /**
   * Body bytes. The buffer is the stream's from now on: once sent, its memory is given back. False:
   * wait for `drained`.
   */
  write(bytes: Buffer): boolean {
    invariant(this.#begun && !this.#ending, "no body can be written now");
    if (this.closed || bytes.length === 0) return true;
    this.#pieces.push(bytes);
    this.#queued += bytes.length;
    this.outbox.waits(bytes.length);
    if (this.#head === undefined || this.#queued > LIMITS.held) this.outbox.ready(this);
    if (this.closed || this.#queued < this.#backlog) return true;
    this.#full = true;
    return false;
  }

  /** Sends what is held. */
  flush(): void {
    if (!this.closed && !this.idle) this.outbox.ready(this);
  }

  /** Nothing more follows but these trailers. */
  end(trailers: Fields | undefined): void {
    invariant(this.#begun && !this.#ending, "no message to end");
    if (this.closed) return;
    this.#ending = true;
    if (trailers !== undefined && trailers.length > 0) this.#trailers = trailers;
    this.outbox.ready(this);
  }

  /** Takes back what was begun, if no byte of it has gone out. */
  retract(): boolean {
    if (this.#head === undefined) return false;
    this.#dropQueue();
    this.#begun = false;
    return true;
  }

  /** The peer allows so many more bytes, or fewer. False: the window is larger than any may be. */
  grow(bytes: number): boolean {
    const before = this.#window;
    this.#window += bytes;
    if (this.#window > SIZE.maxWindow) return false;
    if (before <= 0 && this.#window > 0 && this.#queued > 0) this.flush();
    return true;
  }

  /** Called by the outbox alone, when it is this stream's turn: writes at most one DATA frame. */
  sendNext(): Progress {
    if (this.closed || this.localEnded) return "rest";
    if (this.#head !== undefined) this.#sendHead(this.#head);
    if (!this.localEnded && this.#queued > 0) {
      const progress = this.#sendData();
      if (progress !== "rest" || this.#queued > 0) return progress;
    }
    if (this.#ending && !this.localEnded) this.#sendEnd();
    return "rest";
  }

  /** Called by the outbox alone, after `sendNext`. */
  relieve(): void {
    if (!this.#full || this.#queued > LIMITS.relieved || this.closed) return;
    this.#full = false;
    this.drained();
  }

  /** Gives the stream its number. Returns the window that the peer gives it. */
  protected abstract numbered(): number;
  /** END_STREAM was written. */
  protected abstract ended(): void;
  /** After `write` returned false: there is room again. */
  protected abstract drained(): void;

  /** Nothing more is sent. */
  protected drop(): void {
    this.closed = true;
    if (this.lined) this.outbox.leave(this);
    this.#dropQueue();
  }

  get #backlog(): number {
    return this.outbox.crowded ? LIMITS.crowdedBacklog : LIMITS.backlog;
  }

  #dropQueue(): void {
    this.#head = undefined;
    this.#trailers = undefined;
    this.#pieces.length = 0;
    this.outbox.waits(-this.#queued);
    this.#queued = 0;
    this.#sent = 0;
    this.#full = false;
  }

  #sendHead(head: Fields): void {
    this.#head = undefined;
    if (this.id === 0) this.#window = this.numbered();
    const last = this.#ending && this.#queued === 0 && this.#trailers === undefined;
    this.outbox.headers(this.id, head, last);
    if (last) this.#ended();
  }

  #sendData(): Progress {
    const piece = this.#pieces[0];
    invariant(piece !== undefined, "bytes are queued and no piece is there");
    const left = piece.length - this.#sent;
    const size = Math.min(left, this.outbox.maxFrameBytes, this.#window, this.outbox.window);
    if (size <= 0) return this.#window <= 0 ? "rest" : "starved";
    const start = this.#sent;
    const whole = size === left;
    this.#window -= size;
    this.#queued -= size;
    this.outbox.waits(-size);
    this.#sent = whole ? 0 : start + size;
    if (whole) this.#pieces.shift();
    const last = this.#ending && this.#queued === 0 && this.#trailers === undefined;
    const bytes = start === 0 && whole ? piece : piece.subarray(start, start + size);
    const cut = !whole && size < LIMITS.dribble;
    this.outbox.data(this.id, bytes, { last, cut, spent: whole ? piece : undefined });
    if (last) this.#ended();
    return this.#queued > 0 ? "more" : "rest";
  }

  #sendEnd(): void {
    const trailers = this.#trailers;
    this.#trailers = undefined;
    if (trailers === undefined) this.outbox.data(this.id, EMPTY, LAST);
    else this.outbox.headers(this.id, trailers, true);
    this.#ended();
  }

  #ended(): void {
    this.localEnded = true;
    this.ended();
  }
}

const EMPTY = Buffer.alloc(0);
const LAST = { last: true, cut: false, spent: undefined } as const;

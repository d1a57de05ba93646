/**
 * What a connection sends: gathers the frames of all its streams and puts them on the socket.
 *
 * Frames of an event loop's turn go out in one write, for the reason that message-writer.ts gives.
 * Streams take turns, one DATA frame each, so that a large answer delays a small one by no more than
 * the frames of those before it. Control frames go first and wait for nothing; a peer that makes us
 * send them and reads none of them is refused.
 */
import type { Socket } from "node:net";
import type { Fields } from "../../model/http.ts";
import { SIZE } from "../../wire/http2/codes.ts";
import { FrameWriter } from "../../wire/http2/frame-writer.ts";
import { HpackEncoder } from "../../wire/http2/hpack-encoder.ts";
import { releaseMemory } from "../message-writer.ts";

const LIMITS = {
  /** Bytes that a peer may leave unread before streams have to wait; bounds memory per connection. */
  backlog: 256 * 1024,
  /** Bytes of control frames beyond that: acknowledgements and window updates of ten thousand frames. */
  control: 128 * 1024,
  /**
   * Bytes of bodies that wait in all streams together before each may have only a little more: a
   * caller that opens a hundred streams and gives none a window would make us gather as many backlogs.
   */
  waiting: 1024 * 1024,
} as const;

/**
 * What came of sending. `more`: it can go on at once. `starved`: the connection's window is used up.
 * `rest`: nothing is left, or its own window is used up.
 */
export type Progress = "more" | "starved" | "rest";

/** A stream, as it takes its turn. */
export interface Sender {
  /** Whether it stands in line. The outbox's alone. */
  lined: boolean;
  /** Writes its head, or at most one DATA frame. */
  sendNext(): Progress;
  /** After `sendNext`: its source may go on. */
  relieve(): void;
}

/** Who is told by an outbox. */
export interface OutboxHost {
  /** All frames of this turn are about to be gathered. */
  beforeWrite(): void;
  /** `cut`: it has next to nothing because a window allows no more. */
  dataSent(cut: boolean): void;
  /** The peer reads none of what it made us send. */
  unread(): void;
  /** Whether streams wait for the peer to read. */
  stalled(waiting: boolean): void;
}

export class Outbox {
  readonly #socket: Socket;
  readonly #host: OutboxHost;
  readonly #writer = new FrameWriter();
  readonly #encoder = new HpackEncoder();
  /** Bytes of DATA that the peer allows on the whole connection. */
  #window: number = SIZE.initialWindow;
  /** Streams that have something to send. */
  #line: Sender[] = [];
  /** Streams that wait for the connection's window. */
  #starved: Sender[] = [];
  /** Buffers of which the last part waits to be written. */
  #spent: Buffer[] = [];
  #queued = false;
  #closed = false;
  /** Bytes of bodies that wait in streams. */
  #waiting = 0;

  constructor(socket: Socket, host: OutboxHost) {
    this.#socket = socket;
    this.#host = host;
  }

  get window(): number {
    return this.#window;
  }

  get maxFrameBytes(): number {
    return this.#writer.maxFrameBytes;
  }

  /** Whether the peer has left more unread than it may; the socket's `drain` follows. */
  get congested(): boolean {
    return this.#socket.writableLength + this.#writer.size >= LIMITS.backlog;
  }

  /** Whether so much waits that a stream may have only a little of its own. */
  get crowded(): boolean {
    return this.#waiting >= LIMITS.waiting;
  }

  // What streams send

  /** So many more bytes of a body wait in a stream, or fewer. */
  waits(bytes: number): void {
    this.#waiting += bytes;
  }

  /** A stream has something to send. */
  ready(stream: Sender): void {
    if (stream.lined) return;
    this.#flushSoon();
    if (this.#line.length > 0 || this.congested) {
      stream.lined = true;
      this.#line.push(stream);
    } else this.#advance(stream);
  }

  /** A stream is over early: nobody waits for it to have its turn. */
  leave(stream: Sender): void {
    for (const list of [this.#line, this.#starved]) {
      const at = list.indexOf(stream);
      if (at !== -1) list.splice(at, 1);
    }
    stream.lined = false;
  }

  headers(id: number, fields: Fields, endStream: boolean): void {
    this.#writer.headers(id, this.#encoder.encode(fields), endStream);
    this.#flushSoon();
  }

  /** `spent`: a buffer of which this is the last part. `cut`: a window allows next to nothing. */
  data(
    id: number,
    bytes: Buffer,
    more: { readonly last: boolean; readonly cut: boolean; readonly spent: Buffer | undefined },
  ): void {
    this.#window -= bytes.length;
    this.#writer.data(id, bytes, more.last);
    if (more.spent !== undefined) this.#spent.push(more.spent);
    this.#host.dataSent(more.cut);
  }

  // Control frames

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    this.#writer.settings(pairs);
    this.#control();
  }

  settingsAck(): void {
    this.#writer.settingsAck();
    this.#control();
  }

  ping(opaque: Buffer, ack: boolean): void {
    this.#writer.ping(opaque, ack);
    this.#control();
  }

  windowUpdate(id: number, increment: number): void {
    this.#writer.windowUpdate(id, increment);
    this.#control();
  }

  rstStream(id: number, code: number): void {
    this.#writer.rstStream(id, code);
    this.#control();
  }

  goaway(lastStreamId: number, code: number): void {
    this.#writer.goaway(lastStreamId, code);
    this.#control();
  }

  /** The client's first bytes: before every frame. */
  raw(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  // What the peer allows

  /** False: the window is larger than any may be. */
  grow(bytes: number): boolean {
    this.#window += bytes;
    if (this.#window > SIZE.maxWindow) return false;
    if (this.#window <= 0 || this.#starved.length === 0) return true;
    this.#line.push(...this.#starved.splice(0));
    this.#flushSoon();
    return true;
  }

  setMaxFrameBytes(bytes: number): void {
    // Larger ones would let one stream hold up the others for longer, and save nothing.
    this.#writer.maxFrameBytes = Math.min(bytes, SIZE.minMaxFrame);
  }

  setMaxTableBytes(bytes: number): void {
    this.#encoder.setMaxTableBytes(bytes);
  }

  // The socket

  /** Puts on the socket what is at hand and allowed. */
  flush(): void {
    if (this.#closed) return;
    this.#host.beforeWrite();
    while (this.#line.length > 0 && !this.congested) {
      const stream = this.#line.shift();
      if (stream === undefined) break;
      stream.lined = false;
      this.#advance(stream);
    }
    this.#write();
    // What the socket took at once is followed by no `drain`.
    if (this.#line.length > 0 && !this.congested) this.#flushSoon();
    this.#host.stalled(this.#line.length > 0);
  }

  /** Nothing more is written. */
  close(): void {
    this.#closed = true;
    this.#line = [];
    this.#starved = [];
    this.#spent = [];
  }

  /** Called by the queue alone. */
  flushQueued(): void {
    this.#queued = false;
    this.flush();
  }

  #advance(stream: Sender): void {
    const progress = stream.sendNext();
    if (progress !== "rest" && !stream.lined) {
      stream.lined = true;
      (progress === "more" ? this.#line : this.#starved).push(stream);
    }
    stream.relieve();
  }

  #write(): void {
    const parts = this.#writer.take();
    if (parts.length === 0) return;
    const spent = this.#spent;
    const socket = this.#socket;
    if (spent.length > 0) this.#spent = [];
    if (socket.destroyed) return;
    if (parts.length > 1) socket.cork();
    for (let index = 0; index < parts.length; index += 1) {
      const part = parts[index] ?? EMPTY;
      if (index < parts.length - 1 || spent.length === 0) socket.write(part);
      else socket.write(part, (error) => release(spent, error));
    }
    if (parts.length > 1) socket.uncork();
  }

  #control(): void {
    this.#flushSoon();
    const unread = this.#socket.writableLength + this.#writer.size;
    if (unread > LIMITS.backlog + LIMITS.control) this.#host.unread();
  }

  #flushSoon(): void {
    if (this.#queued || this.#closed) return;
    this.#queued = true;
    if (queue.length === 0) setImmediate(flushQueue);
    queue.push(this);
  }
}

const EMPTY = Buffer.alloc(0);

function release(buffers: Buffer[], error: Error | null | undefined): void {
  // With an error they may still be in the system's hands.
  if (error === undefined || error === null) for (const buffer of buffers) releaseMemory(buffer);
}

/** Outboxes with something to send, until the event loop's turn is over. One event loop, one queue. */
let queue: Outbox[] = [];

function flushQueue(): void {
  const due = queue;
  queue = [];
  for (const outbox of due) outbox.flushQueued();
}

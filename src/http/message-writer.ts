/**
 * Puts messages on a socket: head, body in its framing, trailers. One per connection and direction.
 *
 * What is at hand together goes out together: the head waits for the first body bytes until
 * `flush`, and small bodies are joined to it as one latin1 string. A write is most of what a small
 * exchange costs, and one write of a string is cheaper than a corked pair on both runtimes (17.7
 * against 22.1 us for a whole bare exchange on Bun, 21.3 against 23.0 on Node).
 *
 * What ends a message goes out at the end of the event loop's turn, with what all other connections
 * have by then. Sent one by one, with a request's work between, each write finds the receiver asleep
 * and pays for waking it; in a row they find it awake (50 against 43 us for a whole request with
 * policy and audit, on both runtimes). Nothing waits longer than the turn takes.
 *
 * It refuses, by assertion, more or fewer bytes than the framing announced.
 */
import type { Socket } from "node:net";
import type { BodyKind, Fields } from "../model/http.ts";
import { CHUNK_TAIL, chunkHead, lastChunk } from "../wire/http1/chunked.ts";
import { invariant } from "./invariant.ts";

const LIMITS = {
  /** Body bytes up to this are joined to the text before them; larger ones are not worth the copy. */
  joined: 4096,
  /** Memory from so many bytes on is given back once it is sent. */
  released: 4096,
  /** Text that waits for more. */
  held: 16 * 1024,
  /** Bytes that a peer may leave unread before its source is paused; bounds memory per direction. */
  backlog: 256 * 1024,
} as const;

export class MessageWriter {
  readonly #socket: Socket;
  #held = "";
  #kind: BodyKind = "none";
  /** Bytes that a body with a length still owes. */
  #left = 0;
  #open = false;
  #queued = false;
  #headHeld = false;
  /** Where the head that is held begins: what ended before it may still be waiting too. */
  #headAt = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Whether a message was begun and not ended. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether no byte of the message that was begun last has gone out: nothing can answer it yet. */
  get unsent(): boolean {
    return this.#headHeld;
  }

  /** Whether the peer has left more unread than it may; the socket's `drain` follows. */
  get congested(): boolean {
    return this.#socket.writableLength >= LIMITS.backlog;
  }

  /** Whether anything waits for the peer to read. */
  get unread(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** Begins a message. `kind` is how its body goes out; the head says the same. */
  begin(head: string, kind: BodyKind, contentLength: number): void {
    invariant(!this.#open, "the message before has not ended");
    this.#open = true;
    this.#headHeld = true;
    this.#headAt = this.#held.length;
    this.#held += head;
    this.#kind = kind;
    this.#left = kind === "length" ? contentLength : 0;
  }

  /** Takes back the message that was begun, if no byte of it has gone out. */
  retract(): boolean {
    if (!this.#open || !this.#headHeld) return false;
    this.#held = this.#held.slice(0, this.#headAt);
    this.#headHeld = false;
    this.#open = false;
    return true;
  }

  /**
   * Body bytes. The buffer is the writer's from now on: once sent, its memory is given back, and who
   * kept it would find it empty. False: the peer reads slowly, wait for the socket's `drain`.
   */
  write(bytes: Buffer): boolean {
    invariant(this.#open && this.#kind !== "none", "no body can be written now");
    if (bytes.length === 0) return true;
    if (this.#kind === "length") {
      this.#left -= bytes.length;
      invariant(this.#left >= 0, "more body than announced");
    }
    if (this.#kind === "chunked") this.#held += chunkHead(bytes.length);
    this.#put(bytes);
    if (this.#kind === "chunked") this.#held += CHUNK_TAIL;
    return !this.congested;
  }

  /** Ends the message and sends what is held. */
  end(trailers: Fields | undefined): void {
    invariant(this.#open, "no message to end");
    invariant(this.#left === 0, "less body than announced");
    this.#open = false;
    if (this.#kind === "chunked") this.#held += lastChunk(trailers ?? []);
    this.#flushSoon();
  }

  /** Sends what is held, now. Whoever ends the socket calls it before. */
  flush(): void {
    if (this.#held === "") return;
    const text = this.#held;
    this.#held = "";
    this.#headHeld = false;
    if (!this.#socket.destroyed) this.#socket.write(text, "latin1");
  }

  /** Called by the queue alone. */
  flushQueued(): void {
    this.#queued = false;
    this.flush();
  }

  #flushSoon(): void {
    if (this.#queued) return;
    this.#queued = true;
    if (queue.length === 0) setImmediate(flushQueue);
    queue.push(this);
  }

  #put(bytes: Buffer): void {
    if (bytes.length <= LIMITS.joined) {
      this.#held += bytes.toString("latin1");
      if (this.#held.length > LIMITS.held) this.flush();
      return;
    }
    this.flush();
    this.#socket.write(bytes, (error) => {
      // With an error it may still be in the system's hands.
      if (error === undefined || error === null) releaseMemory(bytes);
    });
  }
}

/**
 * Gives the memory of a sent buffer back at once. The collectors let some sixty megabytes of read
 * buffers pile up before they look (V8's soft limit for memory outside its heap): a gigabyte to a
 * slow reader grew the process by 62 MB on Node and 67 on Bun, and with this by 0 to 14. Only where
 * the buffer is all of its memory; a part of it may have other owners.
 */
export function releaseMemory(bytes: Buffer): void {
  // On Bun even to look at the memory of a small one costs more than the collector does.
  if (bytes.length < LIMITS.released) return;
  const { buffer } = bytes;
  if (isWhole(bytes) && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Whether a buffer is all of its memory. */
export function isWhole({ buffer, length }: Buffer): boolean {
  return buffer.byteLength === length;
}

/** Writers with an ended message, until the event loop's turn is over. One event loop, one queue. */
let queue: MessageWriter[] = [];

function flushQueue(): void {
  const due = queue;
  queue = [];
  for (const writer of due) writer.flushQueued();
}

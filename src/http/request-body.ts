/**
 * The request body of a server connection: takes its framing off, counts it against the limit, and
 * delivers it to whoever reads it. One per connection, started anew for each request.
 *
 * It refuses what breaks the framing, what is larger than allowed, and a sender that is too slow:
 * one may lag behind `minRate` by at most `timeoutMs` (each byte buys time, no more than that in
 * all). While delivery is paused, or nobody has asked for the body yet, the sender is not to blame.
 */
import type { RequestHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { BodyDecoder } from "./body-decoder.ts";
import { type Deadlines, NEVER } from "./deadlines.ts";
import type { BodyReader } from "./exchange.ts";
import type { LimitHit } from "./listener-hits.ts";
import type { InputBuffer } from "./input-buffer.ts";
import { invariant } from "./invariant.ts";

export interface RequestBodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
  /** Bytes per second. */
  readonly minBodyRate: number;
}

export class RequestBody {
  /** Monotonic milliseconds at which the sender has been too slow, or `NEVER`. */
  deadline = NEVER;
  /** Set once the rest of the input cannot be trusted: after a fault nothing more is read. */
  faulty = false;
  readonly #limits: RequestBodyLimits;
  readonly #deadlines: Deadlines;
  readonly #hit: LimitHit;
  readonly #decoder = new BodyDecoder();
  readonly #onData = (bytes: Buffer): void => this.#deliver(bytes);
  #chunked = false;
  #reader: BodyReader | undefined;
  #reading = false;
  /** Bytes that may still be delivered. */
  #allowed = 0;
  #paused = false;
  /** Milliseconds that the sender had left when it was paused. */
  #spared = 0;

  constructor(limits: RequestBodyLimits, deadlines: Deadlines, hit: LimitHit) {
    this.#limits = limits;
    this.#deadlines = deadlines;
    this.#hit = hit;
  }

  start(head: RequestHead): void {
    invariant(!this.faulty && this.#reader === undefined, "the body before is still read");
    this.#decoder.start(head.bodyKind, head.contentLength);
    this.#chunked = head.bodyKind === "chunked";
    this.deadline = NEVER;
    this.#paused = false;
  }

  /** Whether all of it has been taken from the input. */
  get done(): boolean {
    return this.#decoder.done;
  }

  /** Bytes still to come; -1 when unknown. */
  get left(): number {
    return this.#decoder.left;
  }

  /** Whether input should be given to `feed` now. */
  get wanted(): boolean {
    return this.#reading && !this.#paused && !this.done && !this.faulty;
  }

  attach(reader: BodyReader): void {
    invariant(this.#reader === undefined, "the body has a reader");
    this.#reader = reader;
  }

  /** Starts delivery. Ends it at once where there is no body. */
  read(maxBytes: number): void {
    const reader = this.#reader;
    invariant(reader !== undefined && !this.#reading, "a body is read once, by its reader");
    this.#reading = true;
    this.#allowed = Math.min(maxBytes, this.#limits.maxBodyBytes);
    if (this.done) reader.bodyEnd(undefined);
    else if (this.left > this.#allowed)
      this.fault("body-too-large", "content-length above the limit");
    else this.deadline = this.#deadlines.coarseNow + this.#limits.bodyTimeoutMs;
  }

  pause(): void {
    if (this.#paused || this.done) return;
    this.#paused = true;
    this.#spared = this.deadline - this.#deadlines.coarseNow;
    this.deadline = NEVER;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.deadline = this.#deadlines.coarseNow + this.#spared;
  }

  /** Delivers what the input holds of the body. */
  feed(input: InputBuffer): void {
    const before = input.start;
    const taken = this.#decoder.write(input.bytes, before, this.#onData);
    if (typeof taken !== "number") {
      input.clear();
      this.fault(taken.reason, taken.detail);
      return;
    }
    input.take(taken);
    this.#credit(taken - before);
    // A delivery may have ended the exchange, and with it the reader.
    if (this.done) this.#end();
  }

  /** The input is empty for now. */
  idle(): void {
    this.#reader?.bodyIdle();
  }

  /** Drops what the input holds of the body. False: it broke the framing. */
  discard(input: InputBuffer): boolean {
    const taken = this.#decoder.write(input.bytes, input.start, ignore);
    if (typeof taken !== "number") return false;
    input.take(taken);
    return true;
  }

  /** Tells the reader that no more of the body comes. */
  fault(reason: Reason, detail: string): void {
    this.faulty = true;
    if (reason === "body-too-large") this.#hit("bodyBytes");
    else if (reason === "request-timeout") this.#hit("bodyTimeout");
    this.detach()?.bodyFault(reason, detail);
  }

  /** Ends delivery; returns who was reading. */
  detach(): BodyReader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#reading = false;
    this.deadline = NEVER;
    return reader;
  }

  get reader(): BodyReader | undefined {
    return this.#reader;
  }

  #deliver(bytes: Buffer): void {
    if (this.#reader === undefined) return;
    this.#allowed -= bytes.length;
    if (this.#allowed < 0) this.fault("body-too-large", "a chunked body above the limit");
    else this.#reader.bodyChunk(bytes);
  }

  #end(): void {
    this.deadline = NEVER;
    this.#reader?.bodyEnd(this.#chunked ? this.#decoder.trailers : undefined);
  }

  #credit(bytes: number): void {
    if (this.deadline === NEVER) return;
    const { bodyTimeoutMs, minBodyRate } = this.#limits;
    const latest = this.#deadlines.coarseNow + bodyTimeoutMs;
    this.deadline = Math.min(latest, this.deadline + (bytes * 1000) / minBodyRate);
  }
}

function ignore(): void {}

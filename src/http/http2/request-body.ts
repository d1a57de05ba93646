/**
 * The body of one HTTP/2 request: counts it against the limits and its Content-Length, and delivers
 * it to whoever reads it. The rules are those of HTTP/1.1's (request-body.ts): a sender may lag behind
 * `minBodyRate` by at most `bodyTimeoutMs`, and is not to blame while delivery is paused. A reader
 * may let its sender pause (gRPC): then its own times are the bound.
 *
 * It refuses a body that is larger than allowed, slower than allowed, or not as long as announced
 * (RFC 9113 section 8.1.1), and trailers that are no trailers.
 */
import type { Fields } from "../../model/http.ts";
import type { Reason } from "../../model/reason.ts";
import { type Deadlines, NEVER } from "../deadlines.ts";
import type { BodyReader } from "../exchange.ts";
import { invariant } from "../invariant.ts";
import type { LimitHit } from "../listener-hits.ts";
import type { RequestBodyLimits } from "../request-body.ts";

export interface RequestBodyDeps {
  readonly limits: RequestBodyLimits;
  readonly deadlines: Deadlines;
  readonly hit: LimitHit;
}

export class Http2RequestBody {
  /** Monotonic milliseconds at which the sender has been too slow, or `NEVER`. */
  deadline = NEVER;
  done = false;
  readonly #deps: RequestBodyDeps;
  /** Whether it has to keep up a rate. */
  #paced = true;
  /** Bytes still to come; -1 when unknown. */
  #left: number;
  #reader: BodyReader | undefined;
  #reading = false;
  #allowed = 0;
  /** Milliseconds that the sender had left when it was paused. */
  #spared = 0;

  /** `length`: -1 where none was announced. */
  constructor(length: number, deps: RequestBodyDeps) {
    this.#left = length;
    this.#deps = deps;
  }

  /** Whether somebody waits for it. */
  get wanted(): boolean {
    return this.#reading && !this.done;
  }

  /** Starts delivery. False: it is refused already. */
  read(reader: BodyReader, maxBytes: number, paced: boolean): boolean {
    invariant(!this.#reading, "a body is read once");
    const { limits, deadlines } = this.#deps;
    this.#reader = reader;
    this.#reading = true;
    this.#paced = paced;
    this.#allowed = Math.min(maxBytes, limits.maxBodyBytes);
    if (this.#left > this.#allowed) {
      this.fault("body-too-large", "content-length above the limit");
      return false;
    }
    if (this.#paced) this.deadline = deadlines.coarseNow + limits.bodyTimeoutMs;
    return true;
  }

  pause(): void {
    if (this.deadline === NEVER) return;
    this.#spared = this.deadline - this.#deps.deadlines.coarseNow;
    this.deadline = NEVER;
  }

  resume(): void {
    if (this.done || !this.#reading || !this.#paced || this.deadline !== NEVER) return;
    this.deadline = this.#deps.deadlines.coarseNow + this.#spared;
  }

  /** Returns the rule that the body breaks, if it does: then nothing was delivered. */
  data(bytes: Buffer): string | undefined {
    if (this.#left !== -1) {
      this.#left -= bytes.length;
      if (this.#left < 0) return "more DATA than content-length says";
    }
    this.#allowed -= bytes.length;
    if (this.#allowed < 0) this.fault("body-too-large", "a body above the limit");
    else {
      this.#credit(bytes.length);
      this.#reader?.bodyChunk(bytes);
    }
    return undefined;
  }

  idle(): void {
    this.#reader?.bodyIdle();
  }

  /** Returns the rule that the body breaks, if it does: then its end was not delivered. */
  end(trailers: Fields | undefined): string | undefined {
    if (this.#left > 0) return "less DATA than content-length says";
    this.done = true;
    this.deadline = NEVER;
    this.#reader?.bodyEnd(trailers);
    return undefined;
  }

  /** Tells the reader that no more of the body comes. */
  fault(reason: Reason, detail: string): void {
    const { hit } = this.#deps;
    if (reason === "body-too-large") hit("bodyBytes");
    else if (reason === "request-timeout") hit("bodyTimeout");
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

  #credit(bytes: number): void {
    if (this.deadline === NEVER) return;
    const { limits, deadlines } = this.#deps;
    const latest = deadlines.coarseNow + limits.bodyTimeoutMs;
    this.deadline = Math.min(latest, this.deadline + (bytes * 1000) / limits.minBodyRate);
  }
}

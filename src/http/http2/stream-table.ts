/**
 * The streams of a connection by number, which numbers were used, and how the streams that are gone have
 * ended (RFC 9113 sections 5.1 and 5.1.1). Numbers only grow, odd ones are a client's, and a server
 * opens none: pushes are never asked for.
 */
import { SIZE } from "../../wire/http2/codes.ts";
import { ClosedStreams, type Ending } from "./closed-streams.ts";
import type { Http2Stream } from "./stream.ts";

export class StreamTable {
  /** The highest number of a stream of the peer that was not ignored: what a GOAWAY says. */
  handled = 0;
  readonly #server: boolean;
  readonly #lastNumber: number;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #closed = new ClosedStreams();
  /** The highest number that the peer has used. */
  #highest = 0;
  /** The next number for a stream of ours. */
  #next = 1;

  /** `lastNumber`: of streams of ours; tests count to less than the protocol. */
  constructor(side: "server" | "client", lastNumber: number = SIZE.maxStreamId) {
    this.#server = side === "server";
    this.#lastNumber = lastNumber;
  }

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): Http2Stream | undefined {
    return this.#streams.get(id);
  }

  values(): IterableIterator<Http2Stream> {
    return this.#streams.values();
  }

  /** Whether the peer may begin a stream with this number now. */
  mayBegin(id: number): boolean {
    return this.#server && id % 2 === 1 && id > this.#highest;
  }

  begin(stream: Http2Stream): void {
    this.#highest = stream.id;
    this.handled = stream.id;
    this.#streams.set(stream.id, stream);
  }

  /** The peer has begun it, and we have said that we take no more. */
  ignore(id: number): void {
    this.#highest = id;
    this.#closed.add(id, "reset-by-us");
  }

  /** Gives a stream of ours its number. */
  number(stream: Http2Stream): number {
    const id = this.#next;
    this.#next += 2;
    this.#streams.set(id, stream);
    return id;
  }

  /** Numbers that are left for streams of ours. */
  get numbersLeft(): number {
    return Math.max(0, Math.floor((this.#lastNumber - this.#next) / 2) + 1);
  }

  /** Whether no stream with this number was ever begun, nor skipped. */
  isIdle(id: number): boolean {
    if (id % 2 === 0) return true;
    return this.#server ? id > this.#highest : id >= this.#next;
  }

  /** False: it is not in the table. */
  remove(stream: Http2Stream, ending: Ending): boolean {
    if (!this.#streams.delete(stream.id)) return false;
    this.#closed.add(stream.id, ending);
    return true;
  }

  endingOf(id: number): Ending | undefined {
    return this.#closed.endingOf(id);
  }

  /** Takes out all of them. */
  clear(): Http2Stream[] {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    return streams;
  }
}

/**
 * Takes in the whole body of an exchange that we answer ourselves, up to a bound. Refuses what is larger,
 * malformed or too slow.
 */
import type { Reason } from "../model/reason.ts";
import type { BodyReader, Exchange } from "./exchange.ts";

export type WholeBody =
  | { readonly bytes: Buffer; readonly fault?: undefined }
  | { readonly fault: Reason; readonly bytes?: undefined };

/** Calls `then` once, unless the caller goes away before. */
export function readWholeBody(
  exchange: Exchange,
  maxBytes: number,
  then: (body: WholeBody) => void,
): void {
  const reader = new Gatherer(maxBytes, then);
  exchange.stream.attach(reader);
  exchange.stream.read(maxBytes);
}

class Gatherer implements BodyReader {
  readonly #maxBytes: number;
  #then: ((body: WholeBody) => void) | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, then: (body: WholeBody) => void) {
    this.#maxBytes = maxBytes;
    this.#then = then;
  }

  bodyChunk(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) this.bodyFault("body-too-large");
    else if (this.#then !== undefined) this.#chunks.push(bytes);
  }

  bodyEnd(): void {
    this.#finish({ bytes: Buffer.concat(this.#chunks) });
  }

  bodyFault(reason: Reason): void {
    this.#finish({ fault: reason });
  }

  bodyIdle(): void {}

  drained(): void {}

  callerGone(): void {
    this.#then = undefined;
    this.#chunks = [];
  }

  #finish(body: WholeBody): void {
    const then = this.#then;
    this.#then = undefined;
    this.#chunks = [];
    then?.(body);
  }
}

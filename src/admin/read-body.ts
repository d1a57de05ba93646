/** Takes in the body of an exchange as text, up to a bound. Refuses what is larger, malformed or no UTF-8. */
import type { BodyReader, Exchange } from "../http/exchange.ts";
import type { Reason } from "../model/reason.ts";

export type BodyResult =
  | { readonly text: string; readonly bytes: number; readonly fault?: undefined }
  | { readonly fault: Reason; readonly text?: undefined };

/** Calls `then` once, unless the caller goes away before. */
export function readBody(
  exchange: Exchange,
  maxBytes: number,
  then: (result: BodyResult) => void,
): void {
  const reader = new Gatherer(maxBytes, then);
  exchange.stream.attach(reader);
  exchange.stream.read(maxBytes);
}

class Gatherer implements BodyReader {
  readonly #maxBytes: number;
  #then: ((result: BodyResult) => void) | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, then: (result: BodyResult) => void) {
    this.#maxBytes = maxBytes;
    this.#then = then;
  }

  bodyChunk(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) this.bodyFault("body-too-large");
    else if (this.#then !== undefined) this.#chunks.push(bytes);
  }

  bodyEnd(): void {
    const bytes = Buffer.concat(this.#chunks);
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      this.#finish({ text, bytes: bytes.length });
    } catch {
      this.#finish({ fault: "invalid-body" });
    }
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

  #finish(result: BodyResult): void {
    const then = this.#then;
    this.#then = undefined;
    this.#chunks = [];
    then?.(result);
  }
}

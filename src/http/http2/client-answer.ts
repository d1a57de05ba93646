/**
 * The answer on one stream, read strictly: interim heads and then one head, a body of exactly the
 * length that was announced, trailers at its end and nowhere else (RFC 9113 sections 8.1 and 8.1.1).
 * What is anything else is no answer, and nothing more of it is passed on.
 */
import type { Fields, ResponseHead } from "../../model/http.ts";
import { isHeadFault } from "../../wire/head-fault.ts";
import { H2_ERROR } from "../../wire/http2/codes.ts";
import { isHpackFault } from "../../wire/http2/hpack-decoder.ts";
import { readResponseFields } from "../../wire/http2/response-fields.ts";
import { isTrailerFault, readTrailerFields } from "../../wire/http2/trailer-fields.ts";
import type { Section, StreamReceiver, StreamReset } from "./stream.ts";

const LIMITS = {
  /** Interim answers before the final one. Real services send one or two; more is a flood. */
  interim: 8,
} as const;

/** Who is told. After `answerEnd`, `malformed` and `answerReset` nothing more is called. */
export interface AnswerSink {
  /** The final one. */
  answerHead(head: ResponseHead): void;
  answerChunk(bytes: Buffer): void;
  answerIdle(): void;
  answerEnd(trailers: Fields | undefined): void;
  /** After `write` returned false: the service took it. */
  requestDrained(): void;
  malformed(detail: string): void;
  /** The stream is over before the answer was complete. */
  answerReset(cause: StreamReset): void;
}

export class ClientAnswer implements StreamReceiver {
  readonly #sink: AnswerSink;
  readonly #method: string;
  #interim = 0;
  #head: ResponseHead | undefined;
  /** Bytes that the body still owes; -1: its end says how long it was. */
  #left = 0;
  #over = false;

  /** `method`: as it was sent. */
  constructor(sink: AnswerSink, method: string) {
    this.#sink = sink;
    this.#method = method;
  }

  headers(section: Section, endStream: boolean): void {
    if (this.#over) return;
    if (isHpackFault(section)) this.#refuse(section.detail);
    else if (this.#head === undefined) this.#readHead(section, endStream);
    else this.#readTrailers(section, endStream);
  }

  data(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#head === undefined) {
      this.#refuse("DATA before the head of the answer");
    } else if (this.#left !== -1 && bytes.length > this.#left) {
      this.#refuse("more DATA than the answer may have");
    } else {
      if (this.#left !== -1) this.#left -= bytes.length;
      this.#sink.answerChunk(bytes);
    }
  }

  idle(): void {
    if (!this.#over && this.#head !== undefined) this.#sink.answerIdle();
  }

  ended(): void {
    if (this.#head === undefined) this.#refuse("the end before the head of the answer");
    else this.#complete(undefined);
  }

  closed(): void {}

  drained(): void {
    if (!this.#over) this.#sink.requestDrained();
  }

  reset(cause: StreamReset): void {
    if (this.#over) return;
    // Node's server ends streams so that had to wait for a window: all that was announced has come.
    if (cause.by === "peer" && cause.code === H2_ERROR.noError && this.#announcedIsThere) {
      this.#complete(undefined);
      return;
    }
    this.#over = true;
    this.#sink.answerReset(cause);
  }

  get #announcedIsThere(): boolean {
    return this.#head?.bodyKind === "length" && this.#left === 0;
  }

  #readHead(fields: Fields, endStream: boolean): void {
    const head = readResponseFields(fields, endStream, { method: this.#method });
    if (isHeadFault(head)) this.#refuse(head.detail);
    else if (head.status < 200) this.#interimRead();
    else if (endStream && this.#method === "CONNECT" && head.status < 300) {
      this.#refuse("a WebSocket that has ended before it began");
    } else {
      this.#head = head;
      const { bodyKind, contentLength } = head;
      this.#left = bodyKind === "length" ? contentLength : bodyKind === "none" ? 0 : -1;
      this.#sink.answerHead(head);
      if (endStream) this.#complete(undefined);
    }
  }

  /** They end here: `Expect` is answered by us, and the others are advice. */
  #interimRead(): void {
    this.#interim += 1;
    if (this.#interim > LIMITS.interim) this.#refuse("too many interim answers");
  }

  #readTrailers(fields: Fields, endStream: boolean): void {
    if (!endStream) {
      this.#refuse("HEADERS within the answer");
      return;
    }
    const trailers = readTrailerFields(fields);
    if (isTrailerFault(trailers)) this.#refuse(trailers.detail);
    else this.#complete(trailers);
  }

  #complete(trailers: Fields | undefined): void {
    if (this.#over) return;
    if (this.#left > 0) {
      this.#refuse("less DATA than content-length");
      return;
    }
    this.#over = true;
    this.#sink.answerEnd(trailers);
  }

  #refuse(detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink.malformed(detail);
  }
}

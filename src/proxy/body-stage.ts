/**
 * Stands between the caller and the forwarder where a route changes bodies: gathers the request's before
 * anything is sent, and the answer's before a byte of it goes out. Both are bounded.
 *
 * To the forwarder it is the exchange, with a body of known length; to the exchange it is the reader.
 * What cannot be changed as the route says is refused: 400, 413 or 415 for a request, of which then
 * nothing was sent; 502 for an answer, of which then nothing went out.
 *
 * What described the old body does not describe the new one: digests are dropped (by the route's
 * header rules), a strong entity tag becomes a weak one (RFC 9110 section 8.8.1), and the length of an
 * answer without its body (HEAD, 304) is not known.
 */
import type {
  BodyReader,
  Exchange,
  ExchangeStream,
  Forwarded,
  ForwardObserver,
  ForwardOutcome,
  ResponseBody,
  Upstream,
  UpstreamRequest,
} from "../http/exchange.ts";
import { Gathered } from "../http/gathered.ts";
import type { TunnelPipe, TunnelSide } from "../http/tunnel.ts";
import type { Fields, RequestHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { editJson } from "../wire/json-edit.ts";
import { type BodyVerdict, type BodyWorks, judgeBody } from "./body-rules.ts";

/** Undefined work in a direction: its bytes pass through. */
export interface StageParts extends BodyWorks {
  readonly exchange: Exchange;
  readonly upstream: Upstream;
  readonly request: UpstreamRequest;
  readonly observer: ForwardObserver;
}

/** Forwards through a stage of its own. */
export function forwardStaged(parts: StageParts): Forwarded {
  const stage = new BodyStage(parts);
  stage.start();
  return stage;
}

class BodyStage implements Exchange, ExchangeStream, BodyReader, ForwardObserver, Forwarded {
  readonly #parts: StageParts;
  readonly #exchange: Exchange;
  readonly #inner: ExchangeStream;
  /** As the service gets it: with the new body's length, once that is known. */
  head: RequestHead;
  /** The forwarder, once it has begun. */
  #forwarded: Forwarded | undefined;
  #reader: BodyReader | undefined;
  /** The request's body while it is gathered, and until it is delivered. */
  #gathering: Gathered | undefined;
  #requestBytes = 0;
  #ready: Buffer | undefined;
  #verdict: BodyVerdict = "pass";
  /** The answer's head and body while they are held back. */
  #held: { readonly status: number; readonly fields: Fields; readonly body: Gathered } | undefined;
  #responseBytes: number | undefined;
  #over = false;

  constructor(parts: StageParts) {
    this.#parts = parts;
    this.#exchange = parts.exchange;
    this.#inner = parts.exchange.stream;
    this.head = parts.exchange.head;
  }

  start(): void {
    const { onRequest, request } = this.#parts;
    const { bodyKind, contentLength, fields } = this.head;
    const empty = bodyKind === "none" || (bodyKind === "length" && contentLength === 0);
    if (onRequest === undefined || empty) {
      this.#forward();
      return;
    }
    const verdict = judgeBody(fields, onRequest.rule);
    if (verdict === "pass") {
      this.#forward();
      return;
    }
    if (this.#exchange.gone) this.#conclude("caller-gone", undefined);
    else if (verdict !== "edit") this.#refuse("unsupported-body", verdict.fault);
    else {
      const limit = Math.min(onRequest.rule.limit, request.maxBodyBytes);
      this.#gathering = new Gathered(limit);
      this.#inner.attach(this);
      this.#inner.read(limit);
    }
  }

  #forward(): void {
    const { upstream, request } = this.#parts;
    this.#forwarded = upstream.forward(this, request, this);
  }

  // BodyReader: the caller's side, while the stage reads it

  bodyChunk(bytes: Buffer): void {
    this.#requestBytes += bytes.length;
    if (this.#gathering?.add(bytes) === false) this.#refuse("body-too-large", TOO_LARGE);
  }

  bodyIdle(): void {}

  bodyEnd(): void {
    const { onRequest } = this.#parts;
    const gathered = this.#gathering?.take();
    this.#gathering = undefined;
    if (gathered === undefined || onRequest === undefined || this.#over) return;
    if (gathered.length > 0) {
      const edited = editJson(gathered, onRequest.edit);
      if ("fault" in edited) {
        this.#refuse("invalid-body", edited.fault);
        return;
      }
      this.#ready = Buffer.from(edited.text, "utf8");
      if (this.#ready.length > onRequest.rule.limit) {
        this.#refuse("body-too-large", TOO_LARGE);
        return;
      }
    } else {
      this.#ready = gathered;
    }
    this.head = { ...this.head, bodyKind: "length", contentLength: this.#ready.length };
    this.#forward();
  }

  bodyFault(reason: Reason, detail: string): void {
    if (this.#forwarded === undefined) this.#refuse(reason, detail);
    else this.#reader?.bodyFault(reason, detail);
  }

  drained(): void {
    this.#reader?.drained();
  }

  callerGone(): void {
    if (this.#reader !== undefined) this.#reader.callerGone();
    else this.#conclude("caller-gone", undefined);
  }

  // Exchange and ExchangeStream: what the forwarder sees of the caller

  get connection(): Exchange["connection"] {
    return this.#exchange.connection;
  }

  get receivedAt(): number {
    return this.#exchange.receivedAt;
  }

  get gone(): boolean {
    return this.#exchange.gone;
  }

  get whenOver(): (() => void) | undefined {
    return this.#exchange.whenOver;
  }

  set whenOver(run: (() => void) | undefined) {
    this.#exchange.whenOver = run;
  }

  get owner(): unknown {
    return this.#exchange.owner;
  }

  set owner(owner: unknown) {
    this.#exchange.owner = owner;
  }

  get stream(): ExchangeStream {
    return this;
  }

  reply(
    status: number,
    fields: Fields,
    body: string,
    options?: { readonly close?: boolean },
  ): void {
    this.#responseBytes = undefined;
    this.#exchange.reply(status, fields, body, options);
  }

  attach(reader: BodyReader): void {
    this.#reader = reader;
    // With a body of our own, the exchange is read already, and by us.
    if (this.#ready === undefined) this.#inner.attach(reader);
  }

  read(maxBytes: number, options?: { readonly unpaced: boolean }): void {
    const body = this.#ready;
    if (body === undefined) {
      this.#inner.read(maxBytes, options);
      return;
    }
    if (body.length > 0) this.#reader?.bodyChunk(body);
    this.#reader?.bodyEnd(undefined);
  }

  pause(): void {
    if (this.#ready === undefined) this.#inner.pause();
  }

  resume(): void {
    if (this.#ready === undefined) this.#inner.resume();
  }

  get bodyDone(): boolean {
    return this.#inner.bodyDone;
  }

  begin(status: number, fields: Fields, body: ResponseBody): void {
    const { onResponse } = this.#parts;
    if (onResponse === undefined || this.#verdict === "pass") {
      this.#inner.begin(status, fields, body);
      return;
    }
    if (this.head.method === "HEAD" || status === 304 || status === 204) {
      this.#inner.begin(status, fields, { bodyKind: "none", contentLength: -1 });
      return;
    }
    if (body.bodyKind === "length" && body.contentLength === 0) {
      this.#inner.begin(status, fields, body);
      return;
    }
    this.#held = { status, fields, body: new Gathered(onResponse.rule.limit) };
    if (this.#verdict !== "edit") this.#failAnswer(this.#verdict.fault);
    else if (body.contentLength > onResponse.rule.limit) this.#failAnswer(TOO_LARGE);
  }

  write(bytes: Buffer): boolean {
    if (this.#held === undefined) return this.#inner.write(bytes);
    if (!this.#held.body.add(bytes)) this.#failAnswer(TOO_LARGE);
    return true;
  }

  flush(): void {
    if (this.#held === undefined) this.#inner.flush();
  }

  end(trailers: Fields | undefined): void {
    const held = this.#held;
    const { onResponse } = this.#parts;
    if (held === undefined || onResponse === undefined) {
      this.#inner.end(trailers);
      return;
    }
    const old = held.body.take();
    const edited = old.length === 0 ? { text: "" } : editJson(old, onResponse.edit);
    const fault = "fault" in edited ? edited.fault : undefined;
    const body = Buffer.from("text" in edited ? edited.text : "", "utf8");
    if (fault !== undefined || body.length > onResponse.rule.limit) {
      this.#failAnswer(fault ?? TOO_LARGE);
      return;
    }
    this.#held = undefined;
    this.#responseBytes = body.length;
    this.#inner.begin(held.status, held.fields, {
      bodyKind: "length",
      contentLength: body.length,
    });
    if (body.length > 0) this.#inner.write(body);
    // Trailers described the old body, and a body with a length has none.
    this.#inner.end(undefined);
  }

  retract(): boolean {
    if (this.#held === undefined) return this.#inner.retract();
    this.#held = undefined;
    return true;
  }

  abort(cancelled?: boolean): void {
    this.#held = undefined;
    this.#inner.abort(cancelled);
  }

  upgrade(fields: Fields, side: TunnelSide): TunnelPipe | undefined {
    return this.#inner.upgrade(fields, side);
  }

  // ForwardObserver: what the forwarder tells

  responseFields(status: number, fields: Fields): Fields {
    const { observer, onResponse } = this.#parts;
    if (onResponse === undefined) return observer.responseFields(status, fields);
    this.#verdict = judgeBody(fields, onResponse.rule);
    if (this.#verdict === "pass") return observer.responseFields(status, fields);
    return observer.responseFields(status, weakened(fields));
  }

  fault(reason: Reason): ReturnType<ForwardObserver["fault"]> {
    return this.#parts.observer.fault(reason);
  }

  responseTrailers(fields: Fields): void {
    this.#parts.observer.responseTrailers?.(fields);
  }

  cutShort(reason: Reason): Fields | undefined {
    return this.#parts.observer.cutShort?.(reason);
  }

  done(outcome: ForwardOutcome): void {
    this.#over = true;
    this.#held = undefined;
    const staged = this.#ready !== undefined;
    this.#parts.observer.done({
      ...outcome,
      requestBytes: staged ? this.#requestBytes : outcome.requestBytes,
      responseBytes: this.#responseBytes ?? outcome.responseBytes,
    });
  }

  // Forwarded: what the handler holds

  get status(): number {
    return this.#forwarded?.status ?? 0;
  }

  cancel(reason: Reason, detail: string): void {
    if (this.#forwarded === undefined) this.#refuse(reason, detail);
    else this.#forwarded.cancel(reason, detail);
  }

  // Refusing

  /** The answer cannot be passed on; the forwarder gives another, since nothing of it has gone out. */
  #failAnswer(detail: string): void {
    this.#reader?.bodyFault("upstream-body", detail);
  }

  /** Before anything was sent. */
  #refuse(reason: Reason, detail: string): void {
    if (this.#over) return;
    this.#gathering = undefined;
    const answer = this.#parts.observer.fault(reason);
    this.#exchange.reply(answer.status, answer.fields, answer.body);
    this.#conclude(reason, detail, answer.status);
  }

  #conclude(end: Reason, detail: string | undefined, status = 0): void {
    if (this.#over) return;
    this.#over = true;
    this.#gathering = undefined;
    this.#parts.observer.done({
      upstream: undefined,
      status,
      requestBytes: this.#requestBytes,
      responseBytes: 0,
      upstreamMs: undefined,
      end,
      detail,
    });
  }
}

const TOO_LARGE = "a body above the limit for bodies that are changed";

function weakened(fields: Fields): Fields {
  if (!fields.includes("etag")) return fields;
  return fields.map((text, index) => {
    const isTag = index % 2 === 1 && fields[index - 1] === "etag";
    return isTag && text.startsWith('"') ? `W/${text}` : text;
  });
}

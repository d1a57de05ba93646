/**
 * One exchange on its way: the request body to the service, the answer to the caller, with
 * back-pressure both ways and never a whole body in memory.
 *
 * How it gets to an endpoint, and what is tried after a failure, is `sending.ts`. What stays a failure
 * is the service's fault and is answered 502 or 504; once the head of the answer has gone out, it ends
 * with trailers that say so, where the caller's protocol has such and they can be delivered, or else
 * its stream or connection is destroyed: the caller sees that the answer is cut short.
 */
import type { Fields, ResponseHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { forwardable } from "../wire/fields.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import { keepNeverIndexed } from "../wire/never-indexed.ts";
import { switchFault } from "../wire/websocket.ts";
import { NEVER } from "./deadlines.ts";
import type {
  BodyReader,
  Exchange,
  Forwarded,
  ForwardObserver,
  UpstreamRequest,
} from "./exchange.ts";
import { asError, invariant } from "./invariant.ts";
import { causeOf, hasPushback, judgedStatus } from "./retry/grpc-answer.ts";
import { type ForwardService, Sending } from "./sending.ts";
import type { ResponseReceiver, ServiceConnection, UpstreamFailure } from "./service-connection.ts";
import { Tunnel } from "./tunnel.ts";

const UNPACED = Object.freeze({ unpaced: true });

export class Forward extends Sending implements BodyReader, ResponseReceiver, Forwarded {
  readonly #observer: ForwardObserver;
  /** Once the exchange was upgraded. */
  #tunnel: Tunnel | undefined;
  /** Whether the stale connection's second chance is spent. */
  #resent = false;
  #sentAt = 0;
  #trailers: Fields | undefined;
  #upstreamMs: number | undefined;
  #status = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #callerSlow = false;
  #serviceSlow = false;
  /** Whether the service has cancelled its answer. */
  #cancelled = false;
  /** Whether the answer that has begun is of no length that was announced. */
  #endless = false;

  constructor(
    service: ForwardService,
    what: {
      readonly exchange: Exchange;
      readonly request: UpstreamRequest;
      readonly observer: ForwardObserver;
    },
  ) {
    super(service, what.exchange, what.request);
    this.#observer = what.observer;
  }

  start(): void {
    try {
      this.#start();
    } catch (error) {
      this.defect(error);
    }
  }

  // Forwarded

  get status(): number {
    return this.#status;
  }

  cancel(reason: Reason, detail: string): void {
    if (this.#tunnel === undefined) this.fail(reason, detail);
    else this.#tunnel.close(reason, detail);
  }

  #start(): void {
    const { head, gone } = this.exchange;
    if (gone) {
      this.#finish("caller-gone", "gone before the request was sent");
    } else if (head.contentLength > this.request.maxBodyBytes) {
      this.fail("body-too-large", "content-length above the route's limit");
    } else {
      this.stream.attach(this);
      this.send();
    }
  }

  // ResponseReceiver: the service's side

  connected(): void {
    const { head } = this.exchange;
    const connection = this.connection;
    invariant(connection !== undefined && !this.over, "connected for nobody");
    const { method, target, credentials, spans, websocketKey } = this.request;
    const websocket = websocketKey !== undefined;
    let { fields } = this.request;
    if (credentials !== undefined) fields = [...fields, ...credentials.fields()];
    if (spans !== undefined) fields = [...fields, ...spans.fields()];
    connection.begin({ method, target, fields, websocket, received: head.fields }, head);
    this.written = true;
    this.#sentAt = this.service.clock.monotonic();
    this.expireIn(this.request.idleTimeoutMs);
    if (this.reading) {
      this.#sendBodyAgain(connection);
      return;
    }
    this.reading = true;
    this.stream.read(this.request.maxBodyBytes, this.#mayPause ? UNPACED : undefined);
  }

  /**
   * The messages of a gRPC call come when there is something to say. To a service over HTTP/1.1 nobody
   * calls so: there the type would only let a body trickle.
   */
  get #mayPause(): boolean {
    return this.endpoint?.pool.http2 === true && isGrpcCall(this.exchange.head);
  }

  #sendBodyAgain(connection: ServiceConnection): void {
    this.#serviceSlow = false;
    for (const piece of this.replay?.pieces ?? []) {
      if (!connection.write(piece)) this.#serviceSlow = true;
    }
    if (this.stream.bodyDone) this.bodyEnd(this.#trailers);
    else if (!this.#serviceSlow) this.stream.resume();
  }

  responseHead(head: ResponseHead): void {
    const { retries } = this.service;
    const cause = causeOf(head, this.exchange.head);
    this.endpoint?.answered(judgedStatus(cause, head.status));
    this.request.spans?.answered(head.status);
    if (
      retries?.covers(cause) === true &&
      !hasPushback(head) &&
      this.again(cause, { unsent: false, answer: head })
    )
      return;
    if (head.status === 401 && this.authenticateAgain(head)) return;
    this.replay = undefined;
    this.#upstreamMs = this.service.clock.monotonic() - this.#sentAt;
    const fields = forwardable(head.fields, head.connectionOptions);
    const shown = this.#observer.responseFields(head.status, fields);
    this.stream.begin(head.status, keepNeverIndexed(head.fields, shown), head);
    this.#status = head.status;
    this.answered = true;
    const { lifetimeMs, deadlineMs = NEVER } = this.request;
    if (lifetimeMs !== undefined) this.totalMs = Math.min(lifetimeMs, deadlineMs);
    // What was announced to the byte cannot end with trailers before its time.
    this.#endless = head.bodyKind === "chunked" || head.bodyKind === "until-close";
    this.expireIn(this.request.idleTimeoutMs);
  }

  switched(head: ResponseHead): void {
    const connection = this.connection;
    const { websocketKey, idleTimeoutMs, lifetimeMs = NEVER } = this.request;
    invariant(connection !== undefined && websocketKey !== undefined, "an upgrade for nobody");
    this.request.spans?.answered(head.status);
    this.#upstreamMs = this.service.clock.monotonic() - this.#sentAt;
    const fault = switchFault(head, websocketKey);
    if (fault !== undefined) {
      this.attemptFailed({ kind: "protocol", reason: "upstream-protocol", detail: fault });
      return;
    }
    const fields = forwardable(head.fields, head.connectionOptions);
    const shown = this.#observer.responseFields(head.status, fields);
    const tunnel = new Tunnel({
      deadlines: this.service.deadlines,
      idleTimeoutMs,
      endsAt: this.exchange.receivedAt + lifetimeMs,
      done: ({ end, detail, requestBytes, responseBytes }) => {
        this.#requestBytes = requestBytes;
        this.#responseBytes = responseBytes;
        this.#finish(end, detail);
      },
    });
    const caller = this.stream.upgrade(shown, tunnel.callerSide);
    // A caller that is gone has said so before, and then the connection is gone too.
    invariant(caller !== undefined, "an upgrade for a caller that is gone");
    this.#status = head.status;
    this.answered = true;
    this.#tunnel = tunnel;
    this.connection = undefined;
    tunnel.open(caller, connection.tunnel(tunnel.serviceSide));
  }

  responseChunk(bytes: Buffer): void {
    if (this.over) return;
    this.#responseBytes += bytes.length;
    if (!this.stream.write(bytes)) {
      this.#callerSlow = true;
      this.connection?.pause();
    }
    this.expireIn(this.request.idleTimeoutMs);
  }

  responseIdle(): void {
    if (!this.over) this.stream.flush();
  }

  responseEnd(trailers: Fields | undefined): void {
    this.connection = undefined;
    this.leave();
    if (this.over) return;
    const { responseTrailers = this.service.responseTrailers } = this.request;
    const shown =
      trailers === undefined ? undefined : keepNeverIndexed(trailers, responseTrailers(trailers));
    if (shown !== undefined) this.#observer.responseTrailers?.(shown);
    this.stream.end(shown);
    this.#finish("complete", undefined);
  }

  upstreamDrained(): void {
    this.#serviceSlow = false;
    this.stream.resume();
    this.expireIn(this.request.idleTimeoutMs);
  }

  failed(failure: UpstreamFailure): void {
    this.connection = undefined;
    if (this.over) return;
    const { reason, detail, unprocessed, cancelled = false } = failure;
    this.#cancelled = cancelled;
    if (this.request.deadlineMs !== undefined && this.totalLeft() <= 0) {
      // The service was told the same deadline, and its own clock was sooner than our tick.
      this.outOfTime();
    } else if (failure.unsendable === true) {
      this.fail(reason, detail);
    } else if (failure.connecting) {
      this.attemptFailed({ kind: "connect", reason, detail: `connecting: ${detail}` });
    } else if (failure.stale && !this.#resent && this.repeatable) {
      this.#resent = true;
      this.resend();
    } else if (unprocessed && this.mayRepeatUnprocessed()) {
      this.repeat();
    } else if (reason === "upstream-unreachable") {
      this.attemptFailed({ kind: "reset", reason, detail, unprocessed });
    } else {
      this.attemptFailed({ kind: "protocol", reason, detail });
    }
  }

  expired(): void {
    const reason = "upstream-timeout";
    if (this.totalLeft() <= 0) this.outOfTime();
    else if (this.#callerSlow) this.fail("caller-gone", "the caller stopped reading");
    else if (!this.written) {
      this.attemptFailed({ kind: "connect", reason, detail: "connecting took too long" });
    } else if (this.#status === 0 && !this.stream.bodyDone && !this.#serviceSlow) {
      this.fail("request-timeout", "the caller stopped sending");
    } else {
      const detail = this.#status === 0 ? "the response head" : "idle";
      this.attemptFailed({ kind: "timeout", reason, detail });
    }
  }

  defect(error: unknown): void {
    this.fail("internal-error", error instanceof Error ? error.message : "thrown");
  }

  // BodyReader: the caller's side

  bodyChunk(bytes: Buffer): void {
    if (this.over) return;
    this.#requestBytes += bytes.length;
    const sent = this.written;
    this.replay?.add(bytes, sent);
    // Between attempts the body is paused; the little that still comes is sent with the next one.
    if (!sent) return;
    this.expireIn(this.request.idleTimeoutMs);
    if (this.connection?.write(bytes) !== false) return;
    this.#serviceSlow = true;
    this.stream.pause();
  }

  bodyIdle(): void {
    if (this.written) this.connection?.flush();
  }

  bodyEnd(trailers: Fields | undefined): void {
    if (this.over) return;
    this.#trailers = trailers;
    if (!this.written) return;
    const { requestTrailers = this.service.requestTrailers } = this.request;
    const sent =
      trailers === undefined ? undefined : keepNeverIndexed(trailers, requestTrailers(trailers));
    this.connection?.end(sent);
    if (this.#status === 0) this.expireIn(this.request.responseTimeoutMs);
  }

  bodyFault(reason: Reason, detail: string): void {
    this.fail(reason, detail);
  }

  drained(): void {
    this.#callerSlow = false;
    this.connection?.resume();
    this.expireIn(this.request.idleTimeoutMs);
  }

  callerGone(): void {
    this.#finish("caller-gone", undefined);
  }

  // Ending

  protected outOfTime(): void {
    const { deadlineMs = NEVER } = this.request;
    const stream = this.#status !== 0 && this.request.lifetimeMs !== undefined;
    if (this.totalMs >= deadlineMs) this.fail("deadline-exceeded", "the deadline of the call");
    else if (stream) this.fail("stream-lifetime", "the route's lifetime is over");
    else this.fail("upstream-timeout", "the whole exchange");
  }

  protected assign(connection: ServiceConnection): void {
    connection.assign(this);
  }

  protected fail(reason: Reason, detail: string): void {
    if (this.over) return;
    this.drop();
    if (this.#status !== 0 && reason !== "caller-gone" && this.stream.retract()) {
      // What was wrong came in one piece with the head: the caller has seen nothing of it.
      this.#status = 0;
      this.#responseBytes = 0;
    }
    if (this.#status !== 0 || reason === "caller-gone") {
      const trailers = this.#cutShort(reason);
      // First, or the abort would be heard as the caller's going.
      this.#finish(reason, detail);
      if (trailers === undefined) this.stream.abort(this.#cancelled);
      else this.stream.end(trailers);
      return;
    }
    try {
      const answer = this.#observer.fault(reason);
      this.exchange.reply(answer.status, answer.fields, answer.body);
      this.#status = answer.status;
    } catch (error) {
      this.service.log.error("an answer could not be given", { error: asError(error) });
      this.#finish("internal-error", detail);
      this.stream.abort();
      return;
    }
    this.#finish(reason, detail);
  }

  /** A caller that does not take what is there already would not take trailers either. */
  #cutShort(reason: Reason): Fields | undefined {
    const deliverable = this.#endless && !this.#callerSlow && reason !== "caller-gone";
    return deliverable ? this.#observer.cutShort?.(reason) : undefined;
  }

  #finish(end: "complete" | Reason, detail: string | undefined): void {
    if (this.over) return;
    this.stop();
    this.#observer.done({
      upstream: this.endpoint?.name,
      status: this.#status,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      upstreamMs: this.#upstreamMs,
      end,
      detail,
    });
  }
}

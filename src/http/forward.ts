/**
 * One exchange on its way: the request body to the service, the answer to the caller, with
 * back-pressure both ways and never a whole body in memory.
 *
 * When a request is sent again (`attempts.ts`). Only when nothing of it can have been acted on:
 * - the connection could not be opened (nothing was written): the next endpoint is tried, each once;
 * - a connection that had served before closed without a byte of an answer, and the request is
 *   idempotent and has no body (RFC 9110 section 9.2.2): the service had closed the idle connection
 *   before it saw the request. It is sent once more, on a new connection.
 * Anything else is the service's fault and is answered 502 or 504; once the head of the answer has
 * gone out, the caller's connection is destroyed instead, so that it sees the answer is cut short.
 */
import type { Fields, ResponseHead } from "../model/http.ts";
import type { Clock, Log } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import { forwardable } from "../wire/fields.ts";
import { switchFault } from "../wire/websocket.ts";
import { writeRequestHead } from "../wire/http1/write-head.ts";
import { type Deadlines, NEVER } from "./deadlines.ts";
import type {
  BodyReader,
  Exchange,
  ExchangeStream,
  Forwarded,
  ForwardObserver,
  UpstreamRequest,
} from "./exchange.ts";
import type {
  ResponseReceiver,
  UpstreamConnection,
  UpstreamFailure,
} from "./upstream-connection.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import { Attempts, isIdempotent } from "./attempts.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { asError, invariant } from "./invariant.ts";
import { Tunnel } from "./tunnel.ts";

/** What a forwarded exchange needs of its service. */
export interface ForwardService {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly requestTrailers: (trailers: Fields) => Fields;
  readonly responseTrailers: (trailers: Fields) => Fields;
  /** The endpoint that takes the next attempt, without those tried; undefined when none can. */
  pick(tried: readonly EndpointState[], key: string | undefined): EndpointState | undefined;
}

const NONE: readonly EndpointState[] = [];

export class Forward implements BodyReader, ResponseReceiver, Forwarded {
  readonly #service: ForwardService;
  readonly #exchange: Exchange;
  readonly #stream: ExchangeStream;
  readonly #request: UpstreamRequest;
  readonly #observer: ForwardObserver;
  readonly #startedAt: number;
  /** For the whole exchange; once an answer streams that may, for all of that. */
  #totalMs: number;
  /** Undefined until an attempt has failed. */
  #attempts: Attempts | undefined;
  /** Where the last attempt went. */
  #endpoint: EndpointState | undefined;
  /** Whether that endpoint counts this exchange among its requests. */
  #entered = false;
  #connection: UpstreamConnection | undefined;
  /** Once the exchange was upgraded. */
  #tunnel: Tunnel | undefined;
  /** Whether the stale connection's second chance is spent. */
  #resent = false;
  /** Whether the caller's body is being read: from then on no other endpoint can be tried. */
  #reading = false;
  #sentAt = 0;
  #upstreamMs: number | undefined;
  #status = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #callerSlow = false;
  #serviceSlow = false;
  #over = false;

  constructor(
    service: ForwardService,
    what: {
      readonly exchange: Exchange;
      readonly request: UpstreamRequest;
      readonly observer: ForwardObserver;
    },
  ) {
    this.#service = service;
    this.#exchange = what.exchange;
    this.#stream = what.exchange.stream;
    this.#request = what.request;
    this.#observer = what.observer;
    this.#startedAt = what.exchange.receivedAt;
    this.#totalMs = what.request.totalTimeoutMs;
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
    if (this.#tunnel === undefined) this.#fail(reason, detail);
    else this.#tunnel.close(reason, detail);
  }

  #start(): void {
    const { head, gone } = this.#exchange;
    if (gone) {
      this.#finish("caller-gone", "gone before the request was sent");
    } else if (head.contentLength > this.#request.maxBodyBytes) {
      this.#fail("body-too-large", "content-length above the route's limit");
    } else {
      this.#stream.attach(this);
      this.#attempt();
    }
  }

  // ResponseReceiver: the service's side

  connected(): void {
    const { head } = this.#exchange;
    const connection = this.#connection;
    invariant(connection !== undefined && !this.#over, "connected for nobody");
    const { method, target, fields, websocketKey } = this.#request;
    const { bodyKind, contentLength } = head;
    const upgrade = websocketKey !== undefined;
    const sent = upgrade ? [...fields, "upgrade", "websocket"] : fields;
    const framing = {
      bodyKind,
      contentLength,
      connection: upgrade ? ("upgrade" as const) : undefined,
    };
    connection.begin(
      writeRequestHead({ method, target }, sent, framing),
      { method, upgrade },
      framing,
    );
    this.#sentAt = this.#service.clock.monotonic();
    this.#expireIn(this.#request.idleTimeoutMs);
    if (this.#reading) {
      // A request without a body, sent again.
      this.bodyEnd(undefined);
      return;
    }
    this.#reading = true;
    this.#stream.read(this.#request.maxBodyBytes);
  }

  responseHead(head: ResponseHead): void {
    this.#upstreamMs = this.#service.clock.monotonic() - this.#sentAt;
    const fields = forwardable(head.fields, head.connectionOptions);
    const shown = this.#observer.responseFields(head.status, fields);
    this.#stream.begin(head.status, shown, head);
    this.#status = head.status;
    if (this.#request.lifetimeMs !== undefined) this.#totalMs = this.#request.lifetimeMs;
    this.#expireIn(this.#request.idleTimeoutMs);
  }

  switched(head: ResponseHead): void {
    const connection = this.#connection;
    const { websocketKey, idleTimeoutMs, lifetimeMs = NEVER } = this.#request;
    invariant(connection !== undefined && websocketKey !== undefined, "an upgrade for nobody");
    this.#upstreamMs = this.#service.clock.monotonic() - this.#sentAt;
    const fault = switchFault(head, websocketKey);
    if (fault !== undefined) {
      this.#attemptFailed({ kind: "protocol", reason: "upstream-protocol", detail: fault });
      return;
    }
    const fields = forwardable(head.fields, head.connectionOptions);
    const shown = this.#observer.responseFields(head.status, fields);
    const tunnel = new Tunnel({
      deadlines: this.#service.deadlines,
      idleTimeoutMs,
      endsAt: this.#startedAt + lifetimeMs,
      done: ({ end, detail, requestBytes, responseBytes }) => {
        this.#requestBytes = requestBytes;
        this.#responseBytes = responseBytes;
        this.#finish(end, detail);
      },
    });
    const caller = this.#stream.upgrade(shown, tunnel.callerSide);
    // A caller that is gone has said so before, and then the connection is gone too.
    invariant(caller !== undefined, "an upgrade for a caller that is gone");
    this.#status = head.status;
    this.#tunnel = tunnel;
    this.#connection = undefined;
    tunnel.open(caller, connection.tunnel(tunnel.serviceSide));
  }

  responseChunk(bytes: Buffer): void {
    if (this.#over) return;
    this.#responseBytes += bytes.length;
    if (!this.#stream.write(bytes)) {
      this.#callerSlow = true;
      this.#connection?.pause();
    }
    this.#expireIn(this.#request.idleTimeoutMs);
  }

  responseIdle(): void {
    if (!this.#over) this.#stream.flush();
  }

  responseEnd(trailers: Fields | undefined): void {
    this.#connection = undefined;
    this.#leave();
    if (this.#over) return;
    const { responseTrailers = this.#service.responseTrailers } = this.#request;
    this.#stream.end(trailers === undefined ? undefined : responseTrailers(trailers));
    this.#finish("complete", undefined);
  }

  upstreamDrained(): void {
    this.#serviceSlow = false;
    this.#stream.resume();
    this.#expireIn(this.#request.idleTimeoutMs);
  }

  failed(failure: UpstreamFailure): void {
    this.#connection = undefined;
    if (this.#over) return;
    const { reason, detail } = failure;
    if (failure.connecting) {
      this.#attemptFailed({ kind: "connect", reason, detail: `connecting: ${detail}` });
    } else if (failure.stale && this.#resendable()) {
      this.#resent = true;
      this.#open();
    } else if (reason === "upstream-unreachable") {
      this.#attemptFailed({ kind: "reset", reason, detail });
    } else {
      this.#attemptFailed({ kind: "protocol", reason, detail });
    }
  }

  expired(): void {
    const reason = "upstream-timeout";
    if (this.#totalLeft() <= 0) this.#outOfTime();
    else if (this.#callerSlow) this.#fail("caller-gone", "the caller stopped reading");
    else if (this.#sentAt === 0) {
      this.#attemptFailed({ kind: "connect", reason, detail: "connecting took too long" });
    } else if (this.#status === 0 && !this.#stream.bodyDone && !this.#serviceSlow) {
      this.#fail("request-timeout", "the caller stopped sending");
    } else {
      const detail = this.#status === 0 ? "the response head" : "idle";
      this.#attemptFailed({ kind: "timeout", reason, detail });
    }
  }

  defect(error: unknown): void {
    this.#fail("internal-error", error instanceof Error ? error.message : "thrown");
  }

  // BodyReader: the caller's side

  bodyChunk(bytes: Buffer): void {
    if (this.#over) return;
    this.#requestBytes += bytes.length;
    this.#expireIn(this.#request.idleTimeoutMs);
    if (this.#connection?.write(bytes) !== false) return;
    this.#serviceSlow = true;
    this.#stream.pause();
  }

  bodyIdle(): void {
    this.#connection?.flush();
  }

  bodyEnd(trailers: Fields | undefined): void {
    if (this.#over) return;
    const { requestTrailers = this.#service.requestTrailers } = this.#request;
    this.#connection?.end(trailers === undefined ? undefined : requestTrailers(trailers));
    if (this.#status === 0) this.#expireIn(this.#request.responseTimeoutMs);
  }

  bodyFault(reason: Reason, detail: string): void {
    this.#fail(reason, detail);
  }

  drained(): void {
    this.#callerSlow = false;
    this.#connection?.resume();
    this.#expireIn(this.#request.idleTimeoutMs);
  }

  callerGone(): void {
    this.#finish("caller-gone", undefined);
  }

  // Attempts

  #attempt(): void {
    const endpoint = this.#service.pick(NONE, this.#request.hashKey);
    if (endpoint === undefined) this.#fail("overloaded", "as many requests as allowed");
    else this.#sendTo(endpoint);
  }

  #sendTo(endpoint: EndpointState): void {
    endpoint.entered();
    this.#endpoint = endpoint;
    this.#entered = true;
    const connection = endpoint.pool.reuse();
    if (connection === undefined) {
      this.#open();
      return;
    }
    this.#connection = connection;
    connection.assign(this);
    this.connected();
  }

  #open(): void {
    const connection = this.#endpoint?.pool.connect();
    if (connection === undefined) {
      this.#fail("overloaded", "as many connections to the endpoint as allowed");
      return;
    }
    this.#connection = connection;
    this.#sentAt = 0;
    connection.assign(this);
    this.#expireIn(this.#request.connectTimeoutMs);
  }

  /** The endpoint's fault: another one is tried where that is safe, else the caller hears of it. */
  #attemptFailed(failure: AttemptFailure): void {
    const endpoint = this.#endpoint;
    invariant(endpoint !== undefined, "an attempt without an endpoint");
    endpoint.failed(failure.kind);
    const next = failure.kind === "connect" ? this.#another(endpoint) : undefined;
    if (next === undefined) {
      this.#fail(failure.reason, failure.detail);
      return;
    }
    this.#drop();
    this.#sendTo(next);
  }

  /** An endpoint that was not tried yet. */
  #another(failed: EndpointState): EndpointState | undefined {
    this.#attempts ??= new Attempts();
    this.#attempts.failed(failed);
    return this.#service.pick(this.#attempts.tried, this.#request.hashKey);
  }

  #resendable(): boolean {
    const { head } = this.#exchange;
    return !this.#resent && head.bodyKind === "none" && isIdempotent(this.#request.method);
  }

  // Time

  #expireIn(ms: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const now = this.#service.deadlines.coarseNow;
    connection.expiresAt = Math.min(now + ms, this.#startedAt + this.#totalMs);
  }

  #outOfTime(): void {
    const stream = this.#status !== 0 && this.#request.lifetimeMs !== undefined;
    if (stream) this.#fail("stream-lifetime", "the route's lifetime is over");
    else this.#fail("upstream-timeout", "the whole exchange");
  }

  #totalLeft(): number {
    return this.#startedAt + this.#totalMs - this.#service.clock.monotonic();
  }

  // Ending

  #fail(reason: Reason, detail: string): void {
    if (this.#over) return;
    this.#drop();
    if (this.#status !== 0 && reason !== "caller-gone" && this.#stream.retract()) {
      // What was wrong came in one piece with the head: the caller has seen nothing of it.
      this.#status = 0;
      this.#responseBytes = 0;
    }
    if (this.#status !== 0 || reason === "caller-gone") {
      // First, or the abort would be heard as the caller's going.
      this.#finish(reason, detail);
      this.#stream.abort();
      return;
    }
    try {
      const answer = this.#observer.fault(reason);
      this.#exchange.reply(answer.status, answer.fields, answer.body);
      this.#status = answer.status;
    } catch (error) {
      this.#service.log.error("an answer could not be given", { error: asError(error) });
      this.#finish("internal-error", detail);
      this.#stream.abort();
      return;
    }
    this.#finish(reason, detail);
  }

  /** Ends the attempt. */
  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#leave();
  }

  #leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#endpoint?.left();
  }

  #finish(end: "complete" | Reason, detail: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#drop();
    this.#observer.done({
      upstream: this.#endpoint?.name,
      status: this.#status,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      upstreamMs: this.#upstreamMs,
      end,
      detail,
    });
  }
}

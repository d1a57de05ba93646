/**
 * How an exchange gets to an endpoint: which one is chosen, what is waited for, and what is tried
 * after a failure (`attempts.ts`). What it carries, and what comes back, is `Forward`'s.
 *
 * What failed at one endpoint may be sent again, only while nothing of an answer has gone out and
 * only where it can do no harm:
 * - the connection could not be opened: nothing was written, so the next endpoint is tried, each once;
 * - a connection that had served before closed without a byte of an answer: the service had closed it
 *   before it saw the request. It is sent once more on a new connection, if it is idempotent (RFC 9110
 *   section 9.2.2) and its body is at hand;
 * - the service said that it did not act on it (RFC 9113 section 8.7): it is sent again whatever its
 *   method, at first to the same endpoint, which may only have ended a connection, then to others;
 * - the service answered 401, and who sends has other credentials than those that were refused;
 * - what the service's `retries` cover, within their budget, under the same conditions.
 */
import type { Fields, ResponseHead } from "../model/http.ts";
import type { Clock, Log, Timers } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import type { AttemptFailure, RetryCause } from "./attempt-failure.ts";
import { Attempts, isIdempotent } from "./attempts.ts";
import { type Deadlines, NEVER } from "./deadlines.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { Exchange, ExchangeStream, UpstreamRequest } from "./exchange.ts";
import { isGrpcCall } from "../wire/grpc/call.ts";
import { asError, invariant } from "./invariant.ts";
import { ReplayBody } from "./retry/replay-body.ts";
import type { Retries } from "./retry/retries.ts";
import type { Waiter, WaitingLine } from "./retry/waiting-line.ts";
import type { ServiceConnection } from "./service-connection.ts";

/** What a forwarded exchange needs of its service. */
export interface ForwardService {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly timers: Timers;
  readonly log: Log;
  /** Undefined: nothing that a service may have seen is sent again. */
  readonly retries: Retries | undefined;
  /** Undefined: what no endpoint has room for is refused at once. */
  readonly line: WaitingLine | undefined;
  readonly requestTrailers: (trailers: Fields) => Fields;
  readonly responseTrailers: (trailers: Fields) => Fields;
  /** Whether no endpoint is there or in order. */
  readonly empty: boolean;
  /** The endpoint that takes the next attempt, without those tried; undefined when none can. */
  pick(tried: readonly EndpointState[], key: string | undefined): EndpointState | undefined;
}

const LIMITS = {
  /**
   * Times that one endpoint may hand a request back untouched. A connection that is told to end can
   * cross with the request that is sent on it, and the next one as well; who does it more often takes
   * no requests.
   */
  unprocessed: 3,
  /** Bytes of a body that are kept until there is an answer, for services that may hand it back or refuse us. */
  handedBack: 64 * 1024,
} as const;

const NONE: readonly EndpointState[] = [];

/** A base rather than a part: an exchange that goes well has no object for what does not happen. */
export abstract class Sending implements Waiter {
  protected readonly service: ForwardService;
  protected readonly exchange: Exchange;
  protected readonly stream: ExchangeStream;
  protected readonly request: UpstreamRequest;
  protected connection: ServiceConnection | undefined;
  /** Where the last attempt went. */
  protected endpoint: EndpointState | undefined;
  /** Whether the caller's body is being read: from then on it has to be kept to be sent again. */
  protected reading = false;
  /** What was read of a body that may have to be sent again. */
  protected replay: ReplayBody | undefined;
  #keptForRetries = false;
  /** Whether the head was written to the connection at hand. */
  protected written = false;
  /** For the whole exchange; once an answer streams that may, for all of that. */
  protected totalMs: number;
  /** Whether the head of an answer has gone out to the caller. */
  protected answered = false;
  protected over = false;
  /** Times that the request came back untouched. */
  #unprocessed = 0;
  /** Undefined until an attempt has failed. */
  #attempts: Attempts | undefined;
  /** Whether the endpoint counts this exchange among its requests. */
  #entered = false;
  /** Calls off what is waited for between attempts. */
  #stopWaiting: (() => void) | undefined;

  constructor(service: ForwardService, exchange: Exchange, request: UpstreamRequest) {
    this.service = service;
    this.exchange = exchange;
    this.stream = exchange.stream;
    this.request = request;
    this.totalMs = Math.min(request.totalTimeoutMs, request.deadlineMs ?? NEVER);
  }

  /** Writes the request to the connection at hand. */
  abstract connected(): void;
  abstract defect(error: unknown): void;
  /** Becomes the receiver of what the connection says. */
  protected abstract assign(connection: ServiceConnection): void;
  protected abstract fail(reason: Reason, detail: string): void;
  /** `totalMs` have passed. */
  protected abstract outOfTime(): void;

  /** Looks for an endpoint, or waits for one. */
  protected send(): void {
    const { retries, line } = this.service;
    if (retries !== undefined && this.#retried(retries)) {
      this.replay = this.#newReplay(retries.bodyBytes);
      this.#keptForRetries = this.replay !== undefined;
    }
    // Whoever came before goes before.
    if (line !== undefined && line.length > 0) this.#enterLine();
    else this.#attempt();
  }

  /** Whether the service's retries can be about it at all, so that its body is worth keeping. */
  #retried(retries: Retries): boolean {
    if (isIdempotent(this.request.method)) return true;
    return retries.covers("grpc-unavailable") && isGrpcCall(this.exchange.head);
  }

  #newReplay(maxBytes: number): ReplayBody | undefined {
    const { bodyKind, contentLength } = this.exchange.head;
    return bodyKind !== "none" && contentLength <= maxBytes ? new ReplayBody(maxBytes) : undefined;
  }

  #attempt(): void {
    const key = this.request.hashKey;
    const tried = this.#attempts?.tried ?? NONE;
    const fresh = this.service.pick(tried, key);
    const endpoint = fresh ?? (tried.length === 0 ? undefined : this.service.pick(NONE, key));
    if (endpoint === undefined) this.#enterLine();
    else this.#sendTo(endpoint);
  }

  #enterLine(): void {
    const { line, empty } = this.service;
    if (empty) {
      this.fail("no-endpoint", "no endpoint is there or in order");
      return;
    }
    if (line?.enter(this) !== true) {
      this.fail("overloaded", "as many requests as allowed");
      return;
    }
    const left = Math.max(0, Math.min(line.timeoutMs, this.totalLeft()));
    const stop = this.#later(left, () => {
      line.gaveUp();
      if (this.totalLeft() <= 0) {
        this.outOfTime();
        return;
      }
      this.fail("overloaded", "waited too long for an endpoint with room");
    });
    this.#stopWaiting = () => {
      line.leave(this);
      stop();
    };
  }

  /** Waiter: some endpoint has room again. */
  roomMade(): void {
    this.#waited();
    this.#guarded(() => this.#attempt());
  }

  #sendTo(endpoint: EndpointState): void {
    endpoint.entered();
    this.endpoint = endpoint;
    this.#entered = true;
    this.request.spans?.begin(endpoint.name, endpoint.pool.http2);
    if (!this.reading && (endpoint.pool.http2 || this.request.credentials !== undefined)) {
      this.replay ??= this.#newReplay(LIMITS.handedBack);
    }
    this.#take();
  }

  #take(): void {
    const connection = this.endpoint?.pool.reuse();
    if (connection === undefined) {
      this.#open();
      return;
    }
    this.connection = connection;
    this.assign(connection);
    this.connected();
  }

  /** The connection at hand was stale: the same again on a new one. */
  protected resend(): void {
    this.#beginAgain();
    if (this.reading) this.stream.pause();
    this.#open();
  }

  /** Whether a request that came back untouched goes to the same endpoint once more. */
  protected mayRepeatUnprocessed(): boolean {
    if (this.answered || !this.#bodyAtHand || this.#unprocessed >= LIMITS.unprocessed) return false;
    this.#unprocessed += 1;
    return true;
  }

  /** The same again, to the same endpoint, on whatever is ready there. */
  protected repeat(): void {
    this.#beginAgain();
    if (this.reading) this.stream.pause();
    this.written = false;
    this.#take();
  }

  #beginAgain(): void {
    const { endpoint } = this;
    if (endpoint !== undefined) this.request.spans?.begin(endpoint.name, endpoint.pool.http2);
  }

  #open(): void {
    const connection = this.endpoint?.pool.connect();
    if (connection === undefined) {
      this.fail("overloaded", "as many connections to the endpoint as allowed");
      return;
    }
    this.connection = connection;
    this.written = false;
    this.assign(connection);
    this.expireIn(this.request.connectTimeoutMs);
  }

  /** The endpoint's fault: it is tried again where that is safe, else the caller hears of it. */
  protected attemptFailed(failure: AttemptFailure): void {
    this.endpoint?.failed(failure.kind);
    const unsent = failure.kind === "connect" || failure.unprocessed === true;
    if (!this.again(failure.kind, { unsent })) this.fail(failure.reason, failure.detail);
  }

  /**
   * Sends the request again after `cause`. `unsent`: no service has acted on it. `answer` is the one
   * that is let go for it. False: not.
   */
  protected again(
    cause: RetryCause,
    { unsent, answer }: { readonly unsent: boolean; readonly answer?: ResponseHead },
  ): boolean {
    const endpoint = this.endpoint;
    invariant(endpoint !== undefined, "an attempt without an endpoint");
    if (this.answered || !(unsent ? this.#bodyAtHand : this.#mayRepeat(cause))) return false;
    const attempts = (this.#attempts ??= new Attempts(this.service.retries));
    attempts.failed(endpoint);
    const next =
      unsent && attempts.mayMove
        ? this.service.pick(attempts.tried, this.request.hashKey)
        : undefined;
    const wait = next === undefined ? attempts.retry(cause) : 0;
    if (wait === undefined || wait >= this.totalLeft()) return false;
    if (answer !== undefined) this.connection?.discard(answer);
    else this.connection?.destroy();
    this.request.spans?.end(String(cause));
    this.#between();
    if (next === undefined) this.#stopWaiting = this.#later(wait, () => this.#attempt());
    else this.#sendTo(next);
    return true;
  }

  /**
   * The service did not act on the request because of who we are to it (RFC 9110 section 15.5.2): with other
   * credentials it may, whatever the method. False: that is the answer.
   */
  protected authenticateAgain(answer: ResponseHead): boolean {
    const { credentials } = this.request;
    if (credentials === undefined || this.answered || !this.#bodyAtHand) return false;
    const ready = credentials.refused(answer);
    if (ready === undefined) return false;
    this.connection?.discard(answer);
    this.request.spans?.end(undefined);
    this.#between();
    const stop = this.#later(Math.max(0, this.totalLeft()), () => this.outOfTime());
    this.#stopWaiting = stop;
    const ended = (reason: Reason | undefined): void => {
      if (this.#stopWaiting !== stop) return;
      this.#waited();
      this.#guarded(() => {
        if (reason === undefined) this.#attempt();
        else this.fail(reason, "the service refused our credentials, and there are no others");
      });
    };
    ready.then(ended, () => ended("internal-error"));
    return true;
  }

  /** No attempt is under way: what the caller sends meanwhile has to wait. */
  #between(): void {
    this.connection = undefined;
    this.leave();
    this.written = false;
    if (this.reading) this.stream.pause();
  }

  /** Whether no part of the body is lost to another attempt. */
  get #bodyAtHand(): boolean {
    const { bodyKind } = this.exchange.head;
    return !this.reading || bodyKind === "none" || this.replay?.whole === true;
  }

  /** Whether it may be sent again although it may have arrived. */
  protected get repeatable(): boolean {
    return isIdempotent(this.request.method) && this.#kept;
  }

  /** Who lists `grpc-unavailable` says that twice is once. */
  #mayRepeat(cause: RetryCause): boolean {
    return cause === "grpc-unavailable" ? this.#kept : this.repeatable;
  }

  get #kept(): boolean {
    if (!this.#bodyAtHand) return false;
    // What is kept for a service that hands requests back is not kept for retries.
    return this.#keptForRetries || !this.reading || this.exchange.head.bodyKind === "none";
  }

  #later(ms: number, action: () => void): () => void {
    return this.service.timers.after(ms, () => {
      this.#waited();
      this.#guarded(action);
    });
  }

  #waited(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  #guarded(action: () => void): void {
    if (this.over) return;
    try {
      action();
    } catch (error) {
      this.service.log.error("a defect in sending a request again", { error: asError(error) });
      this.defect(error);
    }
  }

  // Time

  protected expireIn(ms: number): void {
    const connection = this.connection;
    if (connection === undefined) return;
    const now = this.service.deadlines.coarseNow;
    connection.expiresAt = Math.min(now + ms, this.exchange.receivedAt + this.totalMs);
  }

  protected totalLeft(): number {
    return this.exchange.receivedAt + this.totalMs - this.service.clock.monotonic();
  }

  // Ending

  /** Ends the attempt. */
  protected drop(): void {
    this.connection?.destroy();
    this.connection = undefined;
    this.leave();
  }

  protected leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.endpoint?.left();
    this.service.line?.wake();
  }

  /** Nothing more is tried. */
  protected stop(): void {
    this.over = true;
    this.drop();
    this.#waited();
    this.#attempts?.ended();
  }
}

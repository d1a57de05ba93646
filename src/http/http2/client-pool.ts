/**
 * The HTTP/2 connections to one endpoint: as few as its SETTINGS_MAX_CONCURRENT_STREAMS asks for.
 *
 * A request goes to the first connection that has room, so that the others run out their idle time
 * when there is less to do. Where none has, another one is opened, and requests wait together for it
 * or for room anywhere; where no more may be opened, they are refused. A connection that the service
 * tells to end (GOAWAY) takes no more and counts no longer: what is on it finishes there.
 */
import type { Log } from "../../model/ports.ts";
import type { Deadlines } from "../deadlines.ts";
import { type Endpoint, endpointName, type PoolDeps, type PoolOptions } from "../endpoint.ts";
import { invariant } from "../invariant.ts";
import type { ServicePool, UpstreamFailure } from "../service-connection.ts";
import { ASSUMED_STREAMS, Http2ClientConnection, type Http2ClientOwner } from "./client.ts";
import { Http2ClientExchange, type WaitingPlace } from "./client-exchange.ts";

const ENDED_UNUSED: UpstreamFailure = {
  reason: "upstream-unreachable",
  detail: "the connection was ended before it took a request",
  connecting: true,
  stale: false,
  unprocessed: false,
};

export class Http2ClientPool implements ServicePool, Http2ClientOwner, WaitingPlace {
  readonly name: string;
  readonly http2 = true;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly scheme: "http" | "https";
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly lastNumber: number | undefined;
  readonly #endpoint: Endpoint;
  readonly #options: PoolOptions;
  readonly #deps: PoolDeps;
  /** Those that are opening or may take requests, oldest first. */
  readonly #live: Http2ClientConnection[] = [];
  /** Those that only finish what is on them. */
  readonly #ending = new Set<Http2ClientConnection>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Http2ClientExchange>();
  /** Requests that one connection takes at once, as far as the service has said. */
  #streams: number = ASSUMED_STREAMS;
  #closing = false;

  constructor(endpoint: Endpoint, options: PoolOptions, deps: PoolDeps) {
    this.name = endpointName(endpoint);
    this.scheme = endpoint.secure === true ? "https" : "http";
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.connectTimeoutMs = options.connectTimeoutMs;
    this.lastNumber = options.lastNumber;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#deps = deps;
  }

  get size(): number {
    return this.#live.length + this.#ending.size;
  }

  get capacity(): number {
    return this.#options.maxConnections * this.#streams;
  }

  reuse(): Http2ClientExchange | undefined {
    for (const connection of this.#live) {
      if (connection.room > 0) return new Http2ClientExchange(this, connection);
    }
    return undefined;
  }

  connect(): Http2ClientExchange | undefined {
    const mayOpen = this.#options.maxConnections - this.#live.length;
    if (this.#waiting.size >= (this.#opening + mayOpen) * this.#streams) return undefined;
    const exchange = new Http2ClientExchange(this, undefined);
    this.#waiting.add(exchange);
    this.#openEnough();
    return exchange;
  }

  connectAside(): Http2ClientExchange {
    const options = { ...this.#options, maxConnections: 1 };
    const alone = new Http2ClientPool(this.#endpoint, options, this.#deps);
    const exchange = alone.connect();
    invariant(exchange !== undefined, "a pool without room for one");
    alone.close();
    return exchange;
  }

  close(): void {
    this.#closing = true;
    this.#drainIdle();
  }

  // WaitingPlace

  left(exchange: Http2ClientExchange): void {
    this.#waiting.delete(exchange);
    if (this.#closing) this.#drainIdle();
  }

  // Http2ClientOwner

  settingsChanged(connection: Http2ClientConnection): void {
    // What one of many behind an address says for itself does not hold for the others.
    this.#streams = Math.max(
      ...this.#live.map(({ opening, maxStreams }) => (opening ? 0 : maxStreams)),
    );
    this.roomChanged(connection);
  }

  roomChanged(connection: Http2ClientConnection): void {
    for (const exchange of this.#waiting) {
      if (connection.room <= 0) break;
      this.#waiting.delete(exchange);
      exchange.place(connection);
    }
    this.#openEnough();
    if (this.#closing) this.#drainIdle();
  }

  ending(connection: Http2ClientConnection): void {
    if (!this.#forget(connection)) return;
    this.#ending.add(connection);
    // One that ends before it has taken a request would be followed by others of its kind, for ever.
    if (connection.used) this.#openEnough();
    else if (this.#opening === 0) this.#failWaiting(ENDED_UNUSED);
  }

  gone(connection: Http2ClientConnection, failure: UpstreamFailure): void {
    this.#ending.delete(connection);
    this.#forget(connection);
    if (!failure.connecting) this.#openEnough();
    // What cannot be opened is not opened again at once for those who still wait: what else is
    // opening may have room for them, and if not, they have failed.
    else if (this.#opening === 0) this.#failWaiting(failure);
  }

  get #opening(): number {
    let count = 0;
    for (const connection of this.#live) if (connection.opening) count += 1;
    return count;
  }

  /** As many connections as those who wait need. None where the service takes no requests for now. */
  #openEnough(): void {
    if (this.#waiting.size === 0 || this.#streams === 0) return;
    let room = this.#opening * this.#streams;
    while (room < this.#waiting.size && this.#live.length < this.#options.maxConnections) {
      const socket = this.#deps.openSocket(this.#endpoint);
      this.#live.push(new Http2ClientConnection(socket, this));
      room += this.#streams;
    }
  }

  #failWaiting(failure: UpstreamFailure): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    // Whoever fails may try again here at once, and then waits for another connection.
    for (const exchange of waiting) exchange.failed(failure);
  }

  #drainIdle(): void {
    if (this.#waiting.size > 0) return;
    const idle = this.#live.filter(({ active }) => active === 0);
    for (const connection of idle) connection.close();
  }

  #forget(connection: Http2ClientConnection): boolean {
    const at = this.#live.indexOf(connection);
    if (at === -1) return false;
    this.#live.splice(at, 1);
    // The next one says anew how much it takes.
    if (this.#live.length === 0) this.#streams = ASSUMED_STREAMS;
    return true;
  }
}

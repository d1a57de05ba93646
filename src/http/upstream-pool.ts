/**
 * The connections to one endpoint. Idle ones are used again last in, first out: the one used last is
 * the least likely to be stale, and what a quiet hour does not need runs out its idle time.
 */
import { isIPv6, type Socket } from "node:net";
import type { Log } from "../model/ports.ts";
import type { Deadlines } from "./deadlines.ts";
import { type ConnectionOwner, UpstreamConnection } from "./upstream-connection.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** By TLS (`https:`). */
  readonly secure?: boolean;
}

export interface PoolOptions {
  /** Open connections, idle ones included. */
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
}

export interface PoolDeps {
  readonly deadlines: Deadlines;
  readonly log: Log;
  /** Opens a socket, connecting. TLS is another one of these. */
  readonly openSocket: (endpoint: Endpoint) => Socket;
}

export class UpstreamPool implements ConnectionOwner {
  /** `host:port`, as records name it. */
  readonly name: string;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly idleTimeoutMs: number;
  readonly #endpoint: Endpoint;
  readonly #maxConnections: number;
  readonly #openSocket: (endpoint: Endpoint) => Socket;
  readonly #idle: UpstreamConnection[] = [];
  readonly #open = new Set<UpstreamConnection>();
  #closing = false;

  constructor(endpoint: Endpoint, options: PoolOptions, deps: PoolDeps) {
    const { host, port } = endpoint;
    this.name = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
    this.#endpoint = endpoint;
    this.#maxConnections = options.maxConnections;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.#openSocket = deps.openSocket;
  }

  /** Open connections, idle ones included. */
  get size(): number {
    return this.#open.size;
  }

  /** A connection that is ready, or undefined. */
  reuse(): UpstreamConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.ready) return connection;
      connection.destroy();
    }
  }

  /** A connection that is connecting; undefined when as many as allowed are open. */
  connect(): UpstreamConnection | undefined {
    if (this.#open.size >= this.#maxConnections) return undefined;
    const connection = new UpstreamConnection(this.openSocket(), this);
    this.#open.add(connection);
    return connection;
  }

  /** A socket to the endpoint, connecting, that does not count as one of the pool. */
  openSocket(): Socket {
    return this.#openSocket(this.#endpoint);
  }

  /** Closes idle connections now and the others as they end. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  idle(connection: UpstreamConnection): void {
    if (this.#closing) connection.destroy();
    else this.#idle.push(connection);
  }

  gone(connection: UpstreamConnection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }
}

/**
 * The connections to one endpoint. Idle ones are used again last in, first out: the one used last is
 * the least likely to be stale, and what a quiet hour does not need runs out its idle time.
 */
import type { Socket } from "node:net";
import type { Log } from "../model/ports.ts";
import type { Deadlines } from "./deadlines.ts";
import { type Endpoint, endpointName, type PoolDeps, type PoolOptions } from "./endpoint.ts";
import type { ServicePool } from "./service-connection.ts";
import { type ConnectionOwner, UpstreamConnection } from "./upstream-connection.ts";

export class UpstreamPool implements ServicePool, ConnectionOwner {
  readonly name: string;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly idleTimeoutMs: number;
  readonly once = false;
  readonly http2 = false;
  /** One request a connection. */
  readonly capacity: number;
  readonly #endpoint: Endpoint;
  readonly #openSocket: (endpoint: Endpoint) => Socket;
  readonly #idle: UpstreamConnection[] = [];
  readonly #open = new Set<UpstreamConnection>();
  #closing = false;

  constructor(endpoint: Endpoint, options: PoolOptions, deps: PoolDeps) {
    this.name = endpointName(endpoint);
    this.#endpoint = endpoint;
    this.capacity = options.maxConnections;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.#openSocket = deps.openSocket;
  }

  get size(): number {
    return this.#open.size;
  }

  reuse(): UpstreamConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.ready) return connection;
      connection.destroy();
    }
  }

  connect(): UpstreamConnection | undefined {
    if (this.#open.size >= this.capacity) return undefined;
    const connection = new UpstreamConnection(this.#openSocket(this.#endpoint), this);
    this.#open.add(connection);
    return connection;
  }

  connectAside(): UpstreamConnection {
    const { deadlines, log } = this;
    const nobody = { deadlines, log, idleTimeoutMs: 0, once: true, idle: close, gone: () => {} };
    return new UpstreamConnection(this.#openSocket(this.#endpoint), nobody);
  }

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

function close(connection: UpstreamConnection): void {
  connection.destroy();
}

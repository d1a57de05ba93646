/** Where a service listens, and what a pool of ways to it is made of, whichever protocol is spoken there. */
import { isIPv6, type Socket } from "node:net";
import type { Log } from "../model/ports.ts";
import type { Deadlines } from "./deadlines.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** By TLS (`https:`, `h2:`). */
  readonly secure?: boolean;
  /** Over HTTP/2 (`h2:`, `h2c:`); HTTP/1.1 when left out. */
  readonly http2?: boolean;
}

export interface PoolOptions {
  /** Open connections, idle ones included. */
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  /** For a connection that several requests wait for; else each has its own. */
  readonly connectTimeoutMs: number;
  /** HTTP/2: the last number for a stream; tests count to less than the protocol allows. */
  readonly lastNumber?: number;
}

export interface PoolDeps {
  readonly deadlines: Deadlines;
  readonly log: Log;
  /** Opens a socket, connecting. TLS is another one of these. */
  readonly openSocket: (endpoint: Endpoint) => Socket;
}

/** `host:port`, as records name it. */
export function endpointName({ host, port }: Endpoint): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

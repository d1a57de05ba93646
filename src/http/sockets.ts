/** Where sockets are made. Everything above this file sees a `Socket` and nothing of how it came to be. */
import { createServer, type Server, type Socket, connect } from "node:net";
import type { Endpoint } from "./endpoint.ts";

/** A plain TCP connection to an endpoint, connecting. It stays open for our side when the service has closed its own (an upgraded connection may be half-closed). */
export function connectTcp(endpoint: Endpoint): Socket {
  return connect({ host: endpoint.host, port: endpoint.port, noDelay: true, allowHalfOpen: true });
}

/**
 * A plain TCP server. `halfOpen`: its connections stay open for our side when the caller has closed
 * its own.
 */
export function createTcpServer(onSocket: (socket: Socket) => void, halfOpen = true): Server {
  return createServer({ noDelay: true, allowHalfOpen: halfOpen }, onSocket);
}

/**
 * Accepts connections on one address and keeps track of them until the last has ended.
 * It refuses connections beyond its limit by closing them as they come.
 */
import type { Server, Socket } from "node:net";
import { SallyportError } from "../model/errors.ts";
import type { TrustProxy } from "../model/http.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import type { Clock, Log } from "../model/ports.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ExchangeHandler } from "./exchange.ts";
import type { ListenerLimits, ListenerOptions } from "./listener-options.ts";
import {
  type ConnectionContext,
  type ConnectionLimits,
  ServerConnection,
} from "./server-connection.ts";
import type { ListenerTls } from "./listener-tls.ts";
import { createTcpServer } from "./sockets.ts";
import { createTrust } from "../wire/trusted-proxies.ts";
import { TlsAcceptor } from "./tls-acceptor.ts";

export interface ListenerDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly handler: ExchangeHandler;
  /** Shares the address with other processes that ask for the same (SO_REUSEPORT): workers do. */
  readonly reusePort?: boolean;
  /** What `options.tls` was made into; closed with the listener. */
  readonly tls?: ListenerTls | undefined;
}

export interface Listener {
  readonly name: string;
  readonly scheme: "http" | "https";
  /** Where it accepts connections; the port that the system chose where port 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  /** Connections open now. */
  readonly connections: number;
  /** Connections that were closed because as many as allowed were open. */
  readonly refused: number;
  /** Puts what the options say in force for the connections that come, save the address, which stays. */
  change(options: ListenerOptions): void;
  /** From now on each answer is the last of its connection; accepts further ones until `close`. */
  announceEnd(): void;
  /**
   * Accepts no more, closes idle connections, and lets each request in flight be the last on its
   * connection. Settles when all have ended; `graceMs` later the rest is cut off. A further call
   * sets another bound, counted from then.
   */
  close(graceMs: number): Promise<void>;
}

/** Binds the address. Rejects with a `SallyportError` `listen-failed` when that is not possible. */
export async function listen(options: ListenerOptions, deps: ListenerDeps): Promise<Listener> {
  const listener = new TcpListener(options, deps);
  try {
    await listener.bind(splitAddress(options.address), deps.reusePort === true);
  } catch (error) {
    deps.tls?.close();
    throw error;
  }
  return listener;
}

class TcpListener implements Listener, ConnectionContext {
  readonly name: string;
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly handler: ExchangeHandler;
  limits: ConnectionLimits;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly log: Log;
  draining = false;
  refused = 0;
  address = { host: "", port: 0 };
  readonly #server: Server;
  readonly #tls: ListenerTls | undefined;
  readonly #acceptor: TlsAcceptor | undefined;
  readonly #open = new Set<ServerConnection>();
  #maxConnections: number;
  #trust: TrustProxy | undefined;
  #closing = false;
  #closed: Promise<void> | undefined;
  #allEnded: (() => void) | undefined;
  #cutOff: NodeJS.Timeout | undefined;
  #dateSecond = 0;
  #date = "";

  constructor(options: ListenerOptions, deps: ListenerDeps) {
    this.name = options.name;
    this.listener = options.name;
    this.handler = deps.handler;
    this.limits = connectionLimits(options.limits);
    this.clock = deps.clock;
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.#maxConnections = options.limits.connections;
    const { trustedProxies } = options;
    this.#trust = trustedProxies === undefined ? undefined : createTrust(trustedProxies);
    if ((options.tls === undefined) !== (deps.tls === undefined)) {
      throw new TypeError("a listener with TLS options needs what they were made into");
    }
    this.#tls = deps.tls;
    this.scheme = deps.tls === undefined ? "http" : "https";
    this.#acceptor = deps.tls === undefined ? undefined : this.#createAcceptor(deps.tls);
    this.#server =
      this.#acceptor?.server ?? createTcpServer((socket) => this.#accept(socket, undefined));
  }

  get connections(): number {
    return this.#open.size;
  }

  async bind(
    address: { readonly host: string; readonly port: number },
    reusePort: boolean,
  ): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: address.port, host: address.host, reusePort }, resolve);
    }).catch((cause: unknown) => {
      throw new SallyportError(
        "listen-failed",
        `listener ${this.name}: cannot listen on ${address.host}:${address.port}`,
        { cause },
      );
    });
    server.on("error", (error) =>
      this.log.error("a listener failed", { listener: this.name, error }),
    );
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new TypeError("not a TCP address");
    this.address = { host: bound.address, port: bound.port };
  }

  change({ limits, trustedProxies }: ListenerOptions): void {
    this.limits = connectionLimits(limits);
    this.#maxConnections = limits.connections;
    this.#trust = trustedProxies === undefined ? undefined : createTrust(trustedProxies);
    this.#tls?.reload();
  }

  announceEnd(): void {
    this.draining = true;
  }

  close(graceMs: number): Promise<void> {
    this.draining = true;
    this.#closing = true;
    this.#closed ??= this.#close();
    clearTimeout(this.#cutOff);
    if (this.#open.size > 0) {
      this.#cutOff = setTimeout(() => {
        for (const connection of this.#open) connection.destroy();
      }, graceMs);
    }
    return this.#closed;
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#acceptor?.close();
    if (this.#open.size > 0) {
      const ended = new Promise<void>((resolve) => {
        this.#allEnded = resolve;
      });
      for (const connection of this.#open) connection.drain();
      await ended;
      clearTimeout(this.#cutOff);
    }
    await closed;
  }

  // ConnectionContext

  date(): string {
    const second = Math.floor(this.clock.now() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  ended(connection: ServerConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#allEnded?.();
  }

  #createAcceptor(tls: ListenerTls): TlsAcceptor {
    const acceptor: TlsAcceptor = new TlsAcceptor(tls, {
      deadlines: this.deadlines,
      handshakeTimeoutMs: this.limits.headTimeoutMs,
      admits: () => {
        if (this.#closing) return false;
        if (this.#open.size + acceptor.size < this.#maxConnections) return true;
        this.refused += 1;
        return false;
      },
      accept: (socket, peerTls) => this.#accept(socket, peerTls),
    });
    return acceptor;
  }

  #accept(socket: Socket, tls: PeerTls | undefined): void {
    const { remoteAddress, remotePort } = socket;
    if (this.#open.size >= this.#maxConnections) this.refused += 1;
    else if (remoteAddress !== undefined && remotePort !== undefined && !this.#closing) {
      const peer = { address: remoteAddress.replace(MAPPED, ""), port: remotePort, tls };
      const trust = this.#trust?.(peer.address) === true ? this.#trust : undefined;
      this.#open.add(new ServerConnection(socket, { peer, trust }, this));
      return;
    }
    // Beyond the limit, or reset before it was accepted.
    socket.on("error", () => {});
    socket.destroy();
  }
}

/** The prefix of an IPv4-mapped IPv6 address, as a dual-stack socket reports IPv4 callers. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

function connectionLimits(limits: ListenerLimits): ConnectionLimits {
  return {
    maxHeadBytes: limits.headBytes,
    maxTargetBytes: limits.targetBytes,
    maxFields: limits.headFields,
    maxBodyBytes: limits.bodyBytes,
    bodyTimeoutMs: limits.bodyTimeout,
    minBodyRate: limits.bodyRate,
    headTimeoutMs: limits.headTimeout,
    idleTimeoutMs: limits.idleTimeout,
    maxPipelinedBytes: limits.pipelinedBytes,
    maxDrainedBytes: limits.drainedBytes,
  };
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: Number(address.slice(colon + 1)) };
}

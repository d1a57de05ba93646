/**
 * Accepts connections on one address and keeps track of them until the last has ended.
 * It refuses connections beyond its limit by closing them as they come.
 */
import type { Server, Socket } from "node:net";
import { SallyportError } from "../model/errors.ts";
import type { Peer, TrustProxy } from "../model/http.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import type { Clock, Log, Metrics } from "../model/ports.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ExchangeHandler } from "./exchange.ts";
import { Http2ServerConnection } from "./http2/server.ts";
import type { Http2Limit } from "./http2/floods.ts";
import type { Http2Limits, Http2Options } from "./http2-options.ts";
import type { ListenerLimits, ListenerOptions } from "./listener-options.ts";
import type {
  Caller,
  ConnectionContext,
  ConnectionLimits,
  ListenerConnection,
} from "./listener-connection.ts";
import { ServerConnection } from "./server-connection.ts";
import type { ListenerTls } from "./listener-tls.ts";
import { type AddressCounts, createAddressCounts } from "./address-counts.ts";
import { LimitedLog } from "./limited-log.ts";
import { createLimitHits, type LimitHit } from "./listener-hits.ts";
import { ProxyHeaders } from "./proxy-header.ts";
import { createTcpServer } from "./sockets.ts";
import { listenAtSocketFile, type SocketFile } from "../platform/socket-file.ts";
import { createTrust } from "../wire/trusted-proxies.ts";
import { TlsAcceptor } from "./tls-acceptor.ts";

export interface ListenerDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly handler: ExchangeHandler;
  /**
   * Path of a Unix socket of mode 0600 to listen at, in place of the address. Its peers have no
   * address: theirs is `local`.
   */
  readonly socketFile?: string | undefined;
  /** Whether the folder of that socket must be closed to others (mode 0700). */
  readonly closedFolder?: boolean;
  /** Shares the address with other processes that ask for the same (SO_REUSEPORT): workers do. */
  readonly reusePort?: boolean;
  /** What `options.tls` was made into; closed with the listener. */
  readonly tls?: ListenerTls | undefined;
  /** Where it counts what its limits refused. */
  readonly metrics?: Metrics | undefined;
}

export interface Listener {
  readonly name: string;
  readonly scheme: "http" | "https";
  /** Where it accepts connections; the port that the system chose where port 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  /** Connections open now. */
  readonly connections: number;
  /** As many as may be. */
  readonly maxConnections: number;
  /** Connections that were closed because as many as allowed were open. */
  readonly refused: number;
  /** Why no caller can be served now; undefined where nothing is missing. */
  readonly missing: string | undefined;
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
    if (deps.socketFile === undefined) {
      await listener.bind(splitAddress(options.address), deps.reusePort === true);
    } else {
      await listener.bindFile(deps.socketFile, deps.closedFolder === true);
    }
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
  readonly http2: Http2Limits | undefined;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly hit: LimitHit;
  draining = false;
  refused = 0;
  address = { host: "", port: 0 };
  readonly #server: Server;
  readonly #tls: ListenerTls | undefined;
  readonly #acceptor: TlsAcceptor | undefined;
  readonly #floodLog: LimitedLog;
  readonly #open = new Set<ListenerConnection>();
  #maxConnections: number;
  #trust: TrustProxy | undefined;
  #perAddress: AddressCounts | undefined;
  /** Connections whose PROXY header is not complete; undefined where none is asked for. */
  readonly #headers: ProxyHeaders | undefined;
  /** Whom a balancer named, by the connection's own address, while its TLS handshake is under way. */
  readonly #named = new Map<string, Peer>();
  /** Where it listens at a Unix socket. */
  #file: SocketFile | undefined;
  readonly #local: boolean;
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
    this.http2 = http2Limits(options.http2);
    this.clock = deps.clock;
    this.deadlines = deps.deadlines;
    this.log = deps.log;
    this.#floodLog = new LimitedLog(deps);
    this.#local = deps.socketFile !== undefined;
    if (this.#local && (deps.tls !== undefined || options.proxyProtocol !== undefined)) {
      throw new TypeError("a Unix socket speaks plain HTTP, and its callers have no address");
    }
    this.#maxConnections = options.limits.connections;
    const { trustedProxies } = options;
    this.#trust = trustedProxies === undefined ? undefined : createTrust(trustedProxies);
    if ((options.tls === undefined) !== (deps.tls === undefined)) {
      throw new TypeError("a listener with TLS options needs what they were made into");
    }
    this.hit = createLimitHits(deps.metrics, options.name);
    this.#perAddress = this.#countAddresses(options.limits);
    this.#tls = deps.tls;
    this.scheme = deps.tls === undefined ? "http" : "https";
    this.#acceptor = deps.tls === undefined ? undefined : this.#createAcceptor(deps.tls);
    const { proxyProtocol } = options;
    this.#headers = proxyProtocol === undefined ? undefined : this.#createHeaders(proxyProtocol);
    this.#server = this.#createServer();
  }

  flooded({ address, port }: Peer, limit: Http2Limit): void {
    const fields = { listener: this.name, peer: `${address} ${port}`, limit };
    this.#floodLog.warn("a flood ended an HTTP/2 connection", fields);
  }

  get missing(): string | undefined {
    return this.#tls?.missing;
  }

  get connections(): number {
    return this.#open.size;
  }

  get maxConnections(): number {
    return this.#maxConnections;
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
      const why = whyNot((cause as NodeJS.ErrnoException).code);
      throw new SallyportError(
        "listen-failed",
        `listener ${this.name}: cannot listen on ${address.host}:${address.port} (${why})`,
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

  async bindFile(path: string, closed: boolean): Promise<void> {
    this.#file = await listenAtSocketFile(this.#server, path, { closed });
    this.#server.on("error", (error) =>
      this.log.error("a listener failed", { listener: this.name, error }),
    );
    this.address = { host: path, port: 0 };
  }

  change({ limits, trustedProxies }: ListenerOptions): void {
    this.limits = connectionLimits(limits);
    this.#maxConnections = limits.connections;
    this.#trust = trustedProxies === undefined ? undefined : createTrust(trustedProxies);
    this.#perAddress = this.#countAddresses(limits);
    this.#tls?.reload();
  }

  announceEnd(): void {
    this.draining = true;
    for (const connection of this.#open) connection.announceEnd();
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
    this.#headers?.close();
    if (this.#open.size > 0) {
      const ended = new Promise<void>((resolve) => {
        this.#allEnded = resolve;
      });
      for (const connection of this.#open) connection.drain();
      await ended;
      clearTimeout(this.#cutOff);
    }
    await closed;
    this.#file?.remove();
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

  handOver(connection: ListenerConnection, socket: Socket, first: Buffer): void {
    this.#open.delete(connection);
    this.#serve(socket, connection, { http2: true, first });
  }

  ended(connection: ListenerConnection): void {
    this.#open.delete(connection);
    if (connection.trust === undefined) this.#perAddress?.release(connection.peer.address);
    if (this.#open.size === 0) this.#allEnded?.();
  }

  /** Counts those that are open, so that a limit can come with a reload. */
  #countAddresses({ connectionsPerAddress }: ListenerLimits): AddressCounts | undefined {
    if (connectionsPerAddress === undefined) return undefined;
    const counts = createAddressCounts(connectionsPerAddress);
    for (const { trust, peer } of this.#open) if (trust === undefined) counts.add(peer.address);
    return counts;
  }

  #createServer(): Server {
    const headers = this.#headers;
    const acceptor = this.#acceptor;
    if (headers === undefined) {
      return (
        acceptor?.server ?? createTcpServer((socket) => this.#accept(socket, undefined, false))
      );
    }
    // The header comes before TLS: handshakes begin on sockets that already have been read from.
    const halfOpen = acceptor === undefined;
    return createTcpServer((socket) => this.#readHeader(socket, headers), halfOpen);
  }

  #createAcceptor(tls: ListenerTls): TlsAcceptor {
    const acceptor: TlsAcceptor = new TlsAcceptor(tls, {
      deadlines: this.deadlines,
      handshakeTimeoutMs: this.limits.headTimeoutMs,
      admit: (socket) => this.#admitHandshake(socket, acceptor.size),
      accept: (socket, peerTls, http2) => this.#accept(socket, peerTls, http2),
      http2: this.http2 !== undefined,
    });
    return acceptor;
  }

  #createHeaders({ from }: NonNullable<ListenerOptions["proxyProtocol"]>): ProxyHeaders {
    return new ProxyHeaders({
      listener: this.name,
      from: createTrust(from),
      deadlines: this.deadlines,
      timeoutMs: this.limits.headTimeoutMs,
      log: this.log,
      refused: () => this.hit("proxyProtocol"),
      begin: (socket, source) => this.#begin(socket, source),
    });
  }

  /** Nothing of a connection is looked at before its PROXY header. */
  #readHeader(socket: Socket, headers: ProxyHeaders): void {
    const own = peerOf(socket);
    const waiting = headers.size + (this.#acceptor?.size ?? 0);
    if (own === undefined || !this.#hasRoom(waiting)) turnAway(socket);
    else headers.read(socket, own.address);
  }

  /** `source`: whom a balancer named. The socket is paused; what came behind the header is in it. */
  #begin(socket: Socket, source: Peer | undefined): void {
    const own = peerOf(socket);
    if (own === undefined) {
      turnAway(socket);
      return;
    }
    const key = keyOf(own);
    this.#named.delete(key);
    if (source !== undefined) {
      const named = { ...source, balancer: own };
      this.#named.set(key, named);
      // Its balancer may have taken the port anew before we noticed the end: then the name is another's.
      socket.once("close", () => {
        if (this.#named.get(key) === named) this.#named.delete(key);
      });
    }
    if (this.#acceptor === undefined) {
      this.#accept(socket, undefined, false);
      socket.resume();
      return;
    }
    // Resumed by the handshake itself: a socket that flows before would lose its first bytes.
    this.#acceptor.server.emit("connection", socket);
  }

  #accept(socket: Socket, tls: PeerTls | undefined, http2: boolean): void {
    const own = this.#local ? LOCAL_PEER : peerOf(socket);
    if (own === undefined || !this.#hasRoom(0)) {
      turnAway(socket);
      return;
    }
    const peer = { ...this.#callerOf(own), tls };
    const trust = this.#trust?.(peer.address) === true ? this.#trust : undefined;
    // All callers of a trusted proxy share its address.
    if (trust === undefined && this.#perAddress?.take(peer.address) === false) {
      this.hit("connectionsPerAddress");
      turnAway(socket);
      return;
    }
    this.#serve(socket, { peer, trust }, { http2 });
  }

  #serve(
    socket: Socket,
    { peer, trust }: Caller,
    { http2, first }: { readonly http2: boolean; readonly first?: Buffer },
  ): void {
    const caller = { peer, trust };
    const options = this.http2;
    if (!http2) this.#open.add(new ServerConnection(socket, caller, this));
    else if (options === undefined) turnAway(socket);
    else {
      const connection = new Http2ServerConnection(socket, caller, this, options);
      // First: it may be over when it has read what is there.
      this.#open.add(connection);
      connection.start(first);
    }
  }

  /** Counts a handshake for its address until it ends: mute ones would take every place that there is. */
  #admitHandshake(socket: Socket, handshakes: number): (() => void) | undefined {
    const own = peerOf(socket);
    if (own === undefined || !this.#hasRoom(handshakes)) return undefined;
    const counts = this.#perAddress;
    const { address } = this.#callerOf(own);
    if (counts === undefined || this.#trust?.(address) === true) return () => {};
    if (counts.take(address)) return () => counts.release(address);
    this.hit("connectionsPerAddress");
    return undefined;
  }

  /** Whom a balancer named, or who it is itself. */
  #callerOf(own: Peer): Peer {
    return (this.#headers === undefined ? undefined : this.#named.get(keyOf(own))) ?? own;
  }

  /** `waiting`: connections that count though no request can come on them yet. */
  #hasRoom(waiting: number): boolean {
    if (this.#closing) return false;
    if (this.#open.size + waiting < this.#maxConnections) return true;
    this.refused += 1;
    this.hit("connections");
    return false;
  }
}

/** Undefined: reset before it was accepted. */
function peerOf({ remoteAddress, remotePort }: Socket): Peer | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return { address: remoteAddress.replace(MAPPED, ""), port: remotePort };
}

/** Of a Unix socket: it has no address, and nobody else can have this one. */
const LOCAL_PEER: Peer = Object.freeze({ address: "local", port: 0 });

function keyOf({ address, port }: Peer): string {
  return `${address} ${port}`;
}

function turnAway(socket: Socket): void {
  socket.on("error", () => {});
  socket.destroy();
}

/** The prefix of an IPv4-mapped IPv6 address, as a dual-stack socket reports IPv4 callers. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** As connections have them. */
export function connectionLimits(limits: ListenerLimits): ConnectionLimits {
  return {
    maxHeadBytes: limits.headBytes,
    maxTargetBytes: limits.targetBytes,
    maxFields: limits.headFields,
    maxBodyBytes: limits.bodyBytes,
    bodyTimeoutMs: limits.bodyTimeout,
    minBodyRate: limits.bodyRate,
    headTimeoutMs: limits.headTimeout,
    idleTimeoutMs: limits.idleTimeout,
    readTimeoutMs: limits.readTimeout,
    maxPipelinedBytes: limits.pipelinedBytes,
    maxDrainedBytes: limits.drainedBytes,
  };
}

function http2Limits({ enabled, maxStreams, streamWindow }: Http2Options): Http2Limits | undefined {
  return enabled ? { maxStreams, streamWindow } : undefined;
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: Number(address.slice(colon + 1)) };
}

/** For operators, from the error code of a socket that cannot be bound. */
function whyNot(code = "failed"): string {
  if (code === "EADDRINUSE") return "EADDRINUSE: another process has it";
  if (code === "EADDRNOTAVAIL") return "EADDRNOTAVAIL: no interface of this machine has it";
  if (code === "EACCES") return "EACCES: a port below 1024 needs CAP_NET_BIND_SERVICE";
  return code;
}

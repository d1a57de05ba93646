/**
 * Accepts TLS connections: hands on those whose handshake is complete, and ends those that fail,
 * take too long, or would be more than allowed. Until then a connection has no bytes of a request.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TlsOptions, type TLSSocket } from "node:tls";
import type { PeerTls } from "../model/peer-tls.ts";
import { type Deadlines, type Expirable, NEVER } from "./deadlines.ts";
import type { ListenerTls } from "./listener-tls.ts";
import { CIPHERS, PROTOCOLS, PROTOCOLS_WITH_HTTP2 } from "./tls-settings.ts";

export interface AcceptorDeps {
  readonly deadlines: Deadlines;
  readonly handshakeTimeoutMs: number;
  /** Takes a place for one more connection, and gives what releases it; undefined: it is not welcome. Asked before its handshake, which is what costs. */
  readonly admit: (socket: Socket) => (() => void) | undefined;
  /** `http2`: that is what was agreed on. */
  readonly accept: (socket: Socket, tls: PeerTls | undefined, http2: boolean) => void;
  /** Whether HTTP/2 is offered. */
  readonly http2: boolean;
}

export class TlsAcceptor {
  readonly server: Server;
  readonly #tls: ListenerTls;
  readonly #deps: AcceptorDeps;
  /** Handshakes under way by the caller's address and port: Node has another socket afterwards. */
  readonly #handshakes = new Map<string, Handshake>();

  constructor(tls: ListenerTls, deps: AcceptorDeps) {
    this.#tls = tls;
    this.#deps = deps;
    this.server = createServer({
      ...tls.first,
      ciphers: CIPHERS,
      ALPNProtocols: [...(deps.http2 ? PROTOCOLS_WITH_HTTP2 : PROTOCOLS)],
      noDelay: true,
      // With half-open connections Node neither reports nor ends a handshake that its caller left.
      allowHalfOpen: false,
      // Each certificate is judged by us, so that a refusal has a reason, an answer and a record.
      requestCert: tls.asksClients,
      rejectUnauthorized: false,
      // Ours comes first: it counts by the clock of the listener, and is the same on both runtimes.
      handshakeTimeout: deps.handshakeTimeoutMs * 2 + 1000,
      ...(tls.picks ? { SNICallback: createPicker(tls) } : {}),
    });
    tls.onChange = (options) => this.server.setSecureContext(options);
    this.server.on("connection", (socket: Socket) => this.#begin(socket));
    this.server.on("secureConnection", (socket: TLSSocket) => this.#secured(socket));
    this.server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#failed(error, socket);
    });
  }

  /** Handshakes under way. */
  get size(): number {
    return this.#handshakes.size;
  }

  /** Ends the handshakes that are under way: nothing was asked on them yet. */
  close(): void {
    for (const handshake of this.#handshakes.values()) handshake.socket.destroy();
    this.#tls.close();
  }

  #begin(socket: Socket): void {
    // What it was comes by `tlsClientError`, if it is worth saying.
    socket.on("error", () => socket.destroy());
    const key = keyOf(socket);
    if (this.#tls.missing !== undefined) {
      this.#tls.reports.failed("failed", { peer: key, code: "NO_CERTIFICATE" });
      socket.destroy();
      return;
    }
    const release = key === undefined ? undefined : this.#deps.admit(socket);
    if (key === undefined || release === undefined) {
      socket.destroy();
      return;
    }
    const { deadlines, handshakeTimeoutMs } = this.#deps;
    const handshake: Handshake = {
      socket,
      release,
      outcome: undefined,
      expiresAt: NEVER,
      expired: () => {
        handshake.expiresAt = NEVER;
        handshake.outcome = "timeout";
        this.#tls.reports.failed("timeout", { peer: key });
        socket.destroy();
      },
    };
    this.#handshakes.set(key, handshake);
    deadlines.add(handshake);
    handshake.expiresAt = deadlines.coarseNow + handshakeTimeoutMs;
    socket.once("close", () => this.#end(key, handshake));
  }

  #end(key: string, handshake: Handshake): void {
    this.#deps.deadlines.delete(handshake);
    if (this.#handshakes.get(key) === handshake) this.#handshakes.delete(key);
    handshake.release?.();
    handshake.release = undefined;
  }

  #secured(socket: TLSSocket): void {
    // Node reports renegotiation as an error and goes on with the connection.
    socket.on("error", () => socket.destroy());
    const key = keyOf(socket);
    const handshake = key === undefined ? undefined : this.#handshakes.get(key);
    if (key === undefined || handshake === undefined) {
      socket.destroy();
      return;
    }
    this.#end(key, handshake);
    const resumed = socket.isSessionReused();
    if (resumed && this.#tls.asksClients) {
      // Cannot happen, and must not: its certificate would be that of another connection.
      this.#tls.reports.failed("failed", { peer: key, code: "RESUMED" });
      socket.destroy();
      return;
    }
    // A second handshake could bring another certificate than the one that was verified.
    socket.disableRenegotiation();
    this.#tls.reports.done(resumed ? "resumed" : "complete");
    this.#deps.accept(socket, this.#tls.peerOf(socket), socket.alpnProtocol === "h2");
  }

  #failed(error: Error, socket: TLSSocket): void {
    const key = keyOf(socket);
    const handshake = key === undefined ? undefined : this.#handshakes.get(key);
    const { code } = error as NodeJS.ErrnoException;
    // A connection that opens and closes without a word is a health check, not a failure.
    if (code !== "ECONNRESET" && handshake?.outcome === undefined) {
      this.#tls.reports.failed("failed", { peer: key, code: code ?? error.message });
    }
    socket.destroy();
    handshake?.socket.destroy();
  }
}

function createPicker(tls: ListenerTls): NonNullable<TlsOptions["SNICallback"]> {
  return (name, answer) => answer(null, tls.pick(name));
}

interface Handshake extends Expirable {
  readonly socket: Socket;
  /** Gives its place back; undefined once that has been done. */
  release: (() => void) | undefined;
  expiresAt: number;
  outcome: "timeout" | undefined;
}

function keyOf({ remoteAddress, remotePort }: Socket): string | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return `${remoteAddress} ${remotePort}`;
}

/** What the tests of TLS are made of: files in memory, a listener that reads them, callers with sessions. */
import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { createRoot, type TestCertificate } from "./certificates.ts";
import { recordedMetrics } from "./ports.ts";
import type { PeerTls } from "../src/model/peer-tls.ts";
import { ManualTimers } from "../src/platform/timers.ts";
import { createListenerTls, type ListenerTls } from "../src/http/listener-tls.ts";
import { Loopback, type LoopbackOptions, RawPeer } from "../src/http/loopback.fixture.ts";
import { listenerTlsSchema } from "../src/http/tls-options.ts";

export interface TlsGroundOptions extends LoopbackOptions {
  /** In place of one certificate for `localhost` and 127.0.0.1. */
  readonly options?: Record<string, unknown>;
  readonly files?: Record<string, string>;
}

/** A listener with TLS whose files are a map. Its answers say how the caller was seen. */
export class TlsGround {
  readonly root: TestCertificate = createRoot("root");
  readonly server: TestCertificate = this.root.issue({
    name: "server",
    dns: ["localhost"],
    ip: ["127.0.0.1"],
  });
  readonly files = new Map<string, string>([
    ["server.pem", this.server.chainPem],
    ["server.key", this.server.keyPem],
    ["ca.pem", this.root.pem],
    ["clients.crl", this.root.crl()],
  ]);
  readonly timers = new ManualTimers();
  readonly metrics = recordedMetrics();
  /** Of each request: what the gate would be told. */
  readonly peers: (PeerTls | undefined)[] = [];
  readonly loopback: Loopback;
  #tls: ListenerTls | undefined;

  constructor(given: TlsGroundOptions = {}) {
    for (const [name, text] of Object.entries(given.files ?? {})) this.files.set(name, text);
    const options = listenerTlsSchema.parse({
      ...(given.options?.["certificates"] === undefined
        ? { certificate: "server.pem", key: "server.key" }
        : {}),
      ...given.options,
    });
    this.loopback = new Loopback({
      now: Date.now(),
      handle: (exchange) => {
        this.peers.push(exchange.connection.peer.tls);
        exchange.reply(200, [], exchange.connection.scheme);
      },
      ...given,
      tls: ({ clock, log }) => {
        const { timers, metrics } = this;
        const readFile = (file: string): Buffer => Buffer.from(this.read(file));
        const tls = createListenerTls("test", options, { clock, timers, log, metrics, readFile });
        this.#tls = tls;
        return { options, tls };
      },
    });
  }

  async start(): Promise<this> {
    await this.loopback.start();
    return this;
  }

  get tls(): ListenerTls {
    if (this.#tls === undefined) throw new TypeError("not started");
    return this.#tls;
  }

  read(file: string): string {
    const text = this.files.get(file);
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return text;
  }

  /** Connects; resolves when the handshake is complete, rejects when it fails. */
  async caller(options: ConnectionOptions = {}): Promise<TlsCaller> {
    const { port } = this.loopback.listener.address;
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: this.root.pem,
      servername: "localhost",
      ...options,
    });
    const caller = new TlsCaller(socket);
    await once(socket, "secureConnect");
    return caller;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loopback[Symbol.asyncDispose]();
  }
}

export class TlsCaller extends RawPeer {
  readonly tls: TLSSocket;
  readonly #sessions: Buffer[] = [];

  constructor(socket: TLSSocket) {
    super(socket);
    this.tls = socket;
    socket.on("session", (session: Buffer) => this.#sessions.push(session));
  }

  /** Common name of the certificate that was shown. */
  get shown(): string {
    const { CN } = this.tls.getPeerCertificate().subject;
    return String(CN);
  }

  /** The last session that was given for resumption. */
  get session(): Buffer | undefined {
    return this.#sessions.at(-1) ?? this.tls.getSession();
  }

  /** One request and its answer. */
  async ask(target = "/"): Promise<string> {
    this.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return this.until(/^HTTP\/1\.1 \d+ [^]*?\r\n\r\n(?:https?)?/);
  }
}

/** How a client shows a certificate. */
export function clientOptions(certificate: TestCertificate): ConnectionOptions {
  return { cert: certificate.chainPem, key: certificate.keyPem };
}

/**
 * TLS towards one service: whom we trust, what we show of ourselves, read again when the files
 * change. The service's certificate has to lead to a trusted authority and be for the name that we
 * reach it by. What goes wrong is logged up to a rate, with what exactly it was.
 */
import { isIP, type Socket } from "node:net";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import type { Clock, Counter, Log, Metrics, Timers } from "../model/ports.ts";
import { LimitedLog } from "./limited-log.ts";
import { connectTcp } from "./sockets.ts";
import { isTlsFailure } from "./tls-failure.ts";
import { type ReadFile, readPair, readTrust } from "./tls-material.ts";
import { type ServiceTlsOptions, serviceTlsFiles } from "./tls-options.ts";
import { CIPHERS } from "./tls-settings.ts";
import type { Endpoint } from "./endpoint.ts";
import { WatchedMaterial } from "./watched-material.ts";

export interface UpstreamTlsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly readFile: ReadFile;
}

export class UpstreamTls {
  readonly #service: string;
  readonly #options: ServiceTlsOptions;
  readonly #deps: UpstreamTlsDeps;
  readonly #failures: Counter;
  readonly #limited: LimitedLog;
  readonly #context: WatchedMaterial<SecureContext>;

  /** Throws `certificate-invalid` where the files cannot be used. */
  constructor(service: string, options: ServiceTlsOptions, deps: UpstreamTlsDeps) {
    const { clock, timers, log, metrics } = deps;
    this.#service = service;
    this.#options = options;
    this.#deps = deps;
    this.#limited = new LimitedLog({ clock, log });
    this.#failures = metrics
      .counter(
        "sallyport_upstream_tls_failures_total",
        "Connections to a service that failed in TLS, by service.",
        ["service"],
      )
      .with(service);
    if (options.insecureSkipVerify) {
      log.warn("insecureSkipVerify: anybody on the way can read and change what passes", {
        service,
      });
    }
    this.#context = new WatchedMaterial(
      {
        files: serviceTlsFiles(options),
        read: () => this.#read(),
        counted: metrics.counter(
          "sallyport_upstream_tls_reloads_total",
          "Times that changed files of a service's authorities and our certificate for it were read, by service and outcome.",
          ["service", "outcome"],
        ),
        owner: { kind: "service", name: service },
      },
      { timers, log },
    );
  }

  /** A connection to an endpoint, connecting; by TLS where the endpoint says so. */
  open(endpoint: Endpoint): Socket {
    if (endpoint.secure !== true) return connectTcp(endpoint);
    const { host, port } = endpoint;
    const name = this.#options.serverName ?? host;
    const socket = connect({
      host,
      port,
      secureContext: this.#context.current,
      // RFC 6066 section 3: an address is no server name. The certificate is held against it all the same.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ALPNProtocols: [endpoint.http2 === true ? "h2" : "http/1.1"],
      rejectUnauthorized: !this.#options.insecureSkipVerify,
    });
    socket.setNoDelay(true);
    if (endpoint.http2 === true) socket.once("secureConnect", () => refuseUnlessHttp2(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => this.#failed(endpoint, error));
    return socket;
  }

  /** Reads the files anew for connections to come, or leaves what is in force. */
  reload(): void {
    this.#context.reload();
  }

  close(): void {
    this.#context.close();
  }

  #read(): SecureContext {
    const { readFile } = this.#deps;
    const { ca, certificate, key } = this.#options;
    const trust = ca === undefined ? undefined : readTrust({ ca }, readFile);
    const own =
      certificate === undefined || key === undefined
        ? undefined
        : readPair({ certificate, key }, readFile);
    return createSecureContext({
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
      ...(trust === undefined ? {} : { ca: trust.caPem }),
      ...(own === undefined ? {} : { cert: own.certificatePem, key: own.keyPem }),
    });
  }

  #failed({ host, port }: Endpoint, error: NodeJS.ErrnoException): void {
    if (!isTlsFailure(error)) return;
    this.#failures.inc();
    const { code, message } = error;
    // Node's messages hold the names in the certificate, which is what one wants to know.
    this.#limited.warn("TLS to a service failed", {
      service: this.#service,
      endpoint: `${host}:${port}`,
      code,
      message: message.slice(0, 500),
    });
  }
}

/**
 * RFC 9113 section 3.2: over TLS, HTTP/2 is what ALPN has chosen. A service that knows nothing of ALPN
 * goes on without having chosen anything, and would take our preface for a request.
 */
function refuseUnlessHttp2(socket: TLSSocket): void {
  if (socket.alpnProtocol === "h2") return;
  const error = new Error("the service did not agree to speak HTTP/2 (ALPN h2)");
  socket.destroy(Object.assign(error, { code: "ERR_TLS_NO_H2" }));
}

/**
 * TLS towards one service: whom we trust, what we show of ourselves, read again when the files change
 * or the Workload API brings others. The service's certificate has to lead to a trusted authority and be
 * for the name that we reach it by, or for the SPIFFE ID that it has to have. What goes wrong is logged up to a rate, with what exactly it was.
 */
import { isIP, Socket } from "node:net";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { type Certificate } from "../crypto/certificate.ts";
import { pemText } from "../crypto/issue-certificate.ts";
import type { WorkloadPart, WorkloadSource } from "../identity/spiffe/workload-source.ts";
import type { Clock, Counter, Log, Metrics, Timers } from "../model/ports.ts";
import { LimitedLog } from "./limited-log.ts";
import { connectTcp } from "./sockets.ts";
import { isTlsFailure } from "./tls-failure.ts";
import { createServerIdentity, type ServerIdentity, trustDomainsOf } from "./server-identity.ts";
import { pairOfSvid, type ReadFile, readPair, readTrust } from "./tls-material.ts";
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
  /** Where our identity and the bundles of trust domains come from; closed by who opened it. */
  readonly workload?: WorkloadSource | undefined;
}

/** What connections are made of now. */
interface Material {
  readonly context: SecureContext;
  /** Who the service has to be; undefined: by its name. */
  readonly identity: ServerIdentity | undefined;
  /** What is not there, so that no connection may be opened. */
  readonly missing: string | undefined;
}

export class UpstreamTls {
  readonly #service: string;
  readonly #options: ServiceTlsOptions;
  readonly #deps: UpstreamTlsDeps;
  readonly #failures: Counter;
  readonly #limited: LimitedLog;
  readonly #material: WatchedMaterial<Material>;
  readonly #unwatch: () => void;
  /** Connections to who was found to be the right one: asked again when the authorities change. */
  readonly #identified = new Set<TLSSocket>();

  /** Throws `certificate-invalid` where the files cannot be used. */
  constructor(service: string, options: ServiceTlsOptions, deps: UpstreamTlsDeps) {
    const { clock, timers, log, metrics, workload } = deps;
    const parts = workloadParts(options);
    if (parts.size > 0 && workload === undefined) {
      throw new TypeError("what the workload API brings, without one");
    }
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
    this.#material = new WatchedMaterial(
      {
        files: serviceTlsFiles(options),
        read: () => this.#read(),
        counted: metrics.counter(
          "sallyport_upstream_tls_reloads_total",
          "Times that changed files of a service's authorities and our certificate for it were read, by service and outcome.",
          ["service", "outcome"],
        ),
        owner: { kind: "service", name: service },
        changed: ({ identity }) => this.#lookAgain(identity),
      },
      { timers, log },
    );
    const used = parts.size === 0 ? undefined : workload;
    this.#unwatch =
      used?.watch((part) => {
        if (parts.has(part)) this.reload();
      }) ?? (() => undefined);
  }

  /** A connection to an endpoint, connecting; by TLS where the endpoint says so. */
  open(endpoint: Endpoint): Socket {
    if (endpoint.secure !== true) return connectTcp(endpoint);
    const { host, port } = endpoint;
    const name = this.#options.serverName ?? host;
    const { context, identity, missing } = this.#material.current;
    if (missing !== undefined) return this.#notOpened(endpoint, missing);
    const socket: TLSSocket = connect({
      host,
      port,
      secureContext: context,
      // RFC 6066 section 3: an address is no server name. The certificate is held against it all the same.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ALPNProtocols: [endpoint.http2 === true ? "h2" : "http/1.1"],
      rejectUnauthorized: !this.#options.insecureSkipVerify,
      // Asked after the chain was found good, before a byte of ours goes out.
      ...(identity === undefined
        ? {}
        : { checkServerIdentity: () => identity.check(socket, this.#deps.clock.now()) }),
    });
    socket.setNoDelay(true);
    if (identity !== undefined) {
      socket.once("secureConnect", () => this.#identified.add(socket));
      socket.once("close", () => this.#identified.delete(socket));
    }
    if (endpoint.http2 === true) socket.once("secureConnect", () => refuseUnlessHttp2(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => this.#failed(endpoint, error));
    return socket;
  }

  /** Reads the files anew for connections to come, or leaves what is in force. */
  reload(): void {
    this.#material.reload();
  }

  close(): void {
    this.#unwatch();
    this.#material.close();
  }

  #read(): Material {
    const { readFile, workload } = this.#deps;
    const { ca, certificate, key } = this.#options;
    const trust = ca === undefined ? undefined : readTrust({ ca }, readFile);
    const authoritiesOf = (trustDomain: string): readonly Certificate[] | undefined =>
      trust?.anchors ?? workload?.bundle("x509-bundles", trustDomain)?.x509;
    const identity = createServerIdentity(this.#options, authoritiesOf);
    const svid = this.#options.identity === undefined ? undefined : workload?.svid();
    const issued = svid === undefined ? undefined : pairOfSvid(svid);
    const own =
      certificate === undefined || key === undefined
        ? issued
        : readPair({ certificate, key }, readFile);
    const context = createSecureContext({
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
      // Never those of the runtime where an identity is asked for, also while there is no bundle.
      ...(identity === undefined
        ? trust && { ca: trust.caPem }
        : { ca: identity.anchors.map(({ der }) => pemText("CERTIFICATE", der)) }),
      // A trust domain may be spoken for by an authority that another one has signed.
      ...(identity === undefined ? {} : { allowPartialTrustChain: true }),
      ...(own === undefined ? {} : { cert: own.certificatePem, key: own.keyPem }),
    });
    return { context, identity, missing: this.#missing({ own: own !== undefined, identity }) };
  }

  /**
   * An authority that has left its bundle speaks for nobody any more, also on a connection that has
   * been open since before: under load it would be used for as long as the service likes.
   */
  #lookAgain(identity: ServerIdentity | undefined): Readonly<Record<string, string>> {
    for (const socket of this.#identified) {
      const error = identity?.check(socket, this.#deps.clock.now());
      if (error !== undefined) socket.destroy(error);
    }
    return {};
  }

  #missing({
    own,
    identity,
  }: {
    readonly own: boolean;
    readonly identity: ServerIdentity | undefined;
  }): string | undefined {
    if (this.#options.identity !== undefined && !own) {
      return "the workload API has brought no X.509-SVID that is valid";
    }
    if (identity?.anchors.length === 0) {
      return `the workload API has brought no bundle of ${trustDomainsOf(this.#options).join(", ")}`;
    }
    return undefined;
  }

  /** A connection that fails at once: without our identity, or without a way to know theirs, none is made. */
  #notOpened(endpoint: Endpoint, missing: string): Socket {
    const socket = new Socket();
    socket.once("error", (error: NodeJS.ErrnoException) => this.#failed(endpoint, error));
    const error = Object.assign(new Error(missing), { code: "ERR_TLS_NO_SVID" });
    setImmediate(() => socket.destroy(error));
    return socket;
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

/** What of the Workload API a service with these options uses. */
export function workloadParts(options: ServiceTlsOptions): ReadonlySet<WorkloadPart> {
  const parts = new Set<WorkloadPart>();
  if (options.identity !== undefined) parts.add("svid");
  if (options.ca === undefined && trustDomainsOf(options).length > 0) parts.add("x509-bundles");
  return parts;
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

/**
 * What a listener with TLS holds: certificates picked by SNI, whom it admits, and how all of it is
 * read again when the files change. New connections get what is new; open ones are left alone, save
 * that callers' certificates are judged by the authorities and revocation lists of now.
 *
 * A set of files that cannot be used leaves the one before in force, and is said in the log and by a
 * metric, once for each change.
 */
import { constants } from "node:crypto";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { Trust } from "../crypto/certificate-chain.ts";
import type { WorkloadSource } from "../identity/workload-source.ts";
import type { Clock, Gauge, Log, Metrics, Timers } from "../model/ports.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import { type CertificateChoice, chooseCertificates } from "./tls-certificates.ts";
import { HandshakeReports } from "./handshake-reports.ts";
import { presentedBy } from "./presented.ts";
import { pairOfSvid, type ReadFile, readPair, readTrust, type ServerPair } from "./tls-material.ts";
import { certificatePairs, listenerTlsFiles, type ListenerTlsOptions } from "./tls-options.ts";
import { NO_CERTIFICATE, type TrustSource, verifyPeer } from "./tls-peer.ts";
import { CIPHERS } from "./tls-settings.ts";
import { WatchedMaterial } from "./watched-material.ts";

export interface ListenerTlsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly readFile: ReadFile;
  /** Where `identity: workload-api` comes from; closed by who opened it. */
  readonly workload?: WorkloadSource | undefined;
}

/** Throws `certificate-invalid` where the files cannot be used. `name` is the listener's. */
export function createListenerTls(
  name: string,
  options: ListenerTlsOptions,
  deps: ListenerTlsDeps,
): ListenerTls {
  return new ListenerTls(name, options, deps);
}

/** One consistent reading of all files. */
interface Material {
  readonly pairs: readonly ServerPair[];
  readonly choice: CertificateChoice;
  readonly trust: (Trust & { readonly caPem: string }) | undefined;
}

export class ListenerTls implements TrustSource {
  /** How handshakes went. */
  readonly reports: HandshakeReports;
  /** Called with what new connections are to be made of, after each reload. */
  onChange: ((options: SecureContextOptions) => void) | undefined;
  readonly #options: ListenerTlsOptions;
  readonly #deps: ListenerTlsDeps;
  readonly #notAfter: Gauge;
  readonly #material: WatchedMaterial<Material>;
  readonly #unwatch: () => void;

  constructor(name: string, options: ListenerTlsOptions, deps: ListenerTlsDeps) {
    const { clock, log, metrics, timers, workload } = deps;
    if (options.identity !== undefined && workload === undefined) {
      throw new TypeError("an identity of the workload API without one");
    }
    this.#options = options;
    this.#deps = deps;
    this.#notAfter = metrics
      .gauge(
        "sallyport_tls_certificate_not_after_seconds",
        "When the first of the listener's certificates expires, in seconds since the epoch; 0: it has none.",
        ["listener"],
      )
      .with(name);
    this.reports = new HandshakeReports(name, { clock, log, metrics });
    this.#material = new WatchedMaterial(
      {
        files: listenerTlsFiles(options),
        read: () => this.#read(),
        counted: metrics.counter(
          "sallyport_tls_reloads_total",
          "Times that changed files of certificates, keys, authorities and revocation lists were read, by listener and outcome.",
          ["listener", "outcome"],
        ),
        owner: { kind: "listener", name },
        changed: () => this.#changed(),
      },
      { timers, log },
    );
    this.#measure();
    const renewed = options.identity === undefined ? undefined : workload;
    this.#unwatch =
      renewed?.watch((part) => {
        if (part === "svid") this.reload();
      }) ?? (() => undefined);
  }

  /** Why no handshake can come to an end now; undefined where nothing is missing. */
  get missing(): string | undefined {
    if (this.#material.current.pairs.length > 0) return undefined;
    return "it has no certificate: the workload API has brought none that is valid";
  }

  /** Whether callers are asked for certificates. */
  get asksClients(): boolean {
    return this.#options.clients !== undefined;
  }

  /** What the server is made of now; for callers that no other certificate is picked for. */
  get first(): SecureContextOptions {
    return this.#material.current.choice.first;
  }

  /** Whether names have to be looked at. */
  get picks(): boolean {
    return certificatePairs(this.#options).length > 1;
  }

  pick(serverName: string): ReturnType<CertificateChoice["pick"]> {
    return this.#material.current.choice.pick(serverName);
  }

  get current(): Trust {
    const { trust } = this.#material.current;
    if (trust === undefined) throw new TypeError("nobody is asked for a certificate");
    return trust;
  }

  /** What the gate is told of the caller. Undefined where it owes nothing. */
  peerOf(socket: TLSSocket): PeerTls | undefined {
    const { clients } = this.#options;
    if (clients === undefined) return undefined;
    const certificates = presentedBy(socket);
    if (certificates.length === 0) return clients.mode === "required" ? NO_CERTIFICATE : undefined;
    const { authorized } = socket;
    const error: unknown = socket.authorizationError;
    const authorizationError = typeof error === "string" ? error : undefined;
    return verifyPeer(
      { certificates, authorized, authorizationError },
      this,
      this.#deps.clock.now(),
    );
  }

  /** Reads all files anew and puts them in force whole, or leaves what is in force. */
  reload(): void {
    this.#material.reload();
  }

  close(): void {
    this.#unwatch();
    this.#material.close();
  }

  #read(): Material {
    const { readFile } = this.#deps;
    const { clients, minVersion } = this.#options;
    const pairs = [
      ...certificatePairs(this.#options).map((pair) => readPair(pair, readFile)),
      ...this.#issued(),
    ];
    const trust = clients === undefined ? undefined : readTrust(clients, readFile);
    const shared: SecureContextOptions = {
      minVersion,
      ciphers: CIPHERS,
      ...(trust === undefined ? {} : { ca: trust.caPem, secureOptions: NO_RESUMPTION }),
    };
    return { pairs, choice: chooseCertificates(pairs, shared), trust };
  }

  #issued(): readonly ServerPair[] {
    const { identity } = this.#options;
    const svid = identity === undefined ? undefined : this.#deps.workload?.svid();
    return svid === undefined ? [] : [pairOfSvid(svid)];
  }

  #changed(): Readonly<Record<string, string>> {
    this.onChange?.(this.first);
    this.#measure();
    const earliest = this.#earliest();
    return { notAfter: earliest === 0 ? "no certificate" : new Date(earliest).toISOString() };
  }

  /** 0: there is none. */
  #earliest(): number {
    const { pairs } = this.#material.current;
    return pairs.length === 0 ? 0 : Math.min(...pairs.map(({ leaf }) => leaf.notAfter));
  }

  #measure(): void {
    this.#notAfter.set(Math.floor(this.#earliest() / 1000));
  }
}

/**
 * A resumed session answers with the identity of the connection that began it, whatever has been
 * revoked since. The server's own context decides on both runtimes, also where SNI picks another one
 * (tried: set on the picked contexts alone, sessions were resumed); it is set on all of them.
 */
const NO_RESUMPTION = constants.SSL_OP_NO_TICKET;

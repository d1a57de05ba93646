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
import { pemText } from "../crypto/issue-certificate.ts";
import type { WorkloadSource } from "../identity/spiffe/workload-source.ts";
import type { Clock, Gauge, Log, Metrics, Timers } from "../model/ports.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import { type CertificateChoice, chooseCertificates } from "./tls-certificates.ts";
import { HandshakeReports } from "./handshake-reports.ts";
import { presentedBy } from "./presented.ts";
import { pairOfSvid, type ReadFile, readPair, readTrust, type ServerPair } from "./tls-material.ts";
import { certificatePairs, listenerTlsFiles, type ListenerTlsOptions } from "./tls-options.ts";
import type { PeerAuthorities } from "./peer-authorities.ts";
import { NO_CERTIFICATE, type PeerTrust, type TrustSource, verifyPeer } from "./tls-peer.ts";
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
  /** Of `clients.authenticators`. */
  readonly authorities?: PeerAuthorities | undefined;
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
  readonly trust: FileTrust | undefined;
  /** What was made of them, and of the authorities of then. */
  readonly made: InForce;
}

type FileTrust = ReturnType<typeof readTrust>;

interface InForce {
  readonly choice: CertificateChoice;
  readonly trust: PeerTrust | undefined;
}

export class ListenerTls implements TrustSource {
  /** How handshakes went. */
  readonly reports: HandshakeReports;
  /** Called with what new connections are to be made of, after each reload. */
  onChange: ((options: SecureContextOptions) => void) | undefined;
  readonly #name: string;
  readonly #options: ListenerTlsOptions;
  readonly #deps: ListenerTlsDeps;
  readonly #notAfter: Gauge;
  readonly #material: WatchedMaterial<Material>;
  readonly #unwatch: () => void;
  /** Of the files in force with the authorities of now. */
  #inForce: InForce;
  readonly #callOff: () => void;

  constructor(name: string, options: ListenerTlsOptions, deps: ListenerTlsDeps) {
    const { clock, log, metrics, timers, workload } = deps;
    if (options.identity !== undefined && workload === undefined) {
      throw new TypeError("an identity of the workload API without one");
    }
    this.#name = name;
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
    this.#inForce = this.#material.current.made;
    this.#measure();
    const renewed = options.identity === undefined ? undefined : workload;
    this.#unwatch =
      renewed?.watch((part) => {
        if (part === "svid") this.reload();
      }) ?? (() => undefined);
    this.#callOff = deps.authorities?.onChange(() => this.#authoritiesChanged()) ?? nothing;
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
    return this.#inForce.choice.first;
  }

  /** Whether names have to be looked at. */
  get picks(): boolean {
    return certificatePairs(this.#options).length > 1;
  }

  pick(serverName: string): ReturnType<CertificateChoice["pick"]> {
    return this.#inForce.choice.pick(serverName);
  }

  get current(): PeerTrust {
    const { trust } = this.#inForce;
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
    this.#callOff();
    this.#material.close();
  }

  #read(): Material {
    const { readFile } = this.#deps;
    const { clients } = this.#options;
    const pairs = [
      ...certificatePairs(this.#options).map((pair) => readPair(pair, readFile)),
      ...this.#issued(),
    ];
    const { ca, crl } = clients ?? {};
    const trust = ca === undefined ? undefined : readTrust({ ca, crl }, readFile);
    return { pairs, trust, made: this.#make(pairs, trust) };
  }

  #make(pairs: readonly ServerPair[], files: FileTrust | undefined): InForce {
    const { clients, minVersion } = this.#options;
    const shared: SecureContextOptions = { minVersion, ciphers: CIPHERS };
    if (clients === undefined)
      return { choice: chooseCertificates(pairs, shared), trust: undefined };
    const known = this.#deps.authorities?.current ?? NO_AUTHORITIES;
    const ca = [
      ...(files === undefined ? [] : [files.caPem]),
      ...known.anchors.map(({ der }) => pemText("CERTIFICATE", der)),
    ];
    const own = new Set(files?.anchors.map(({ thumbprint }) => thumbprint));
    const others = known.anchors.filter(({ thumbprint }) => !own.has(thumbprint));
    return {
      choice: chooseCertificates(pairs, {
        ...shared,
        ca,
        secureOptions: NO_RESUMPTION,
      }),
      trust: {
        anchors: [...(files?.anchors ?? []), ...others],
        lists: files?.lists,
        unlisted: new Set(others.map(({ thumbprint }) => thumbprint)),
        unknown: known.unknown,
      },
    };
  }

  /** Files are left as they were read: they may be half-written now. */
  #authoritiesChanged(): void {
    const { pairs, trust } = this.#material.current;
    this.#inForce = this.#make(pairs, trust);
    this.onChange?.(this.first);
    const { anchors, unknown } = this.#deps.authorities?.current ?? NO_AUTHORITIES;
    this.#deps.log.info("authorities of callers changed", {
      listener: this.#name,
      authorities: anchors.length,
      unknown: [...unknown].join(" "),
    });
  }

  #issued(): readonly ServerPair[] {
    const { identity } = this.#options;
    const svid = identity === undefined ? undefined : this.#deps.workload?.svid();
    return svid === undefined ? [] : [pairOfSvid(svid)];
  }

  #changed(): Readonly<Record<string, string>> {
    // The authorities may have changed since these files were read.
    const { pairs, trust } = this.#material.current;
    this.#inForce = this.#make(pairs, trust);
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

const NO_AUTHORITIES: PeerAuthorities["current"] = { anchors: [], unknown: new Set() };

const nothing = (): void => undefined;

/**
 * A resumed session answers with the identity of the connection that began it, whatever has been
 * revoked since. The server's own context decides on both runtimes, also where SNI picks another one
 * (tried: set on the picked contexts alone, sessions were resumed); it is set on all of them.
 */
const NO_RESUMPTION = constants.SSL_OP_NO_TICKET;

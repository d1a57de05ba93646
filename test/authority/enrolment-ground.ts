/** What the tests of enrolment are made of: an authority with its small CA on loopback, and machines with folders. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { recordedLog, recordedMetrics } from "../ports.ts";
import { createMemoryStore, type MemoryStore } from "../store/memory.ts";
import { parseCertificate } from "../../src/crypto/certificate.ts";
import { issueCertificate, pemText } from "../../src/crypto/issue-certificate.ts";
import { pemBlocks } from "../../src/crypto/pem.ts";
import { verifyPeer } from "../../src/http/tls-peer.ts";
import type { PeerTls } from "../../src/model/peer-tls.ts";
import type { Invitation, WorkloadRefusal, WorkloadRegister } from "../../src/model/workloads.ts";
import { ManualClock } from "../../src/platform/clock.ts";
import { ManualTimers } from "../../src/platform/timers.ts";
import {
  createEnrolment,
  type Enrolment,
  type MachineCertificates,
} from "../../src/authority/enrolment/enrolment.ts";
import {
  createEnrolmentEndpoint,
  type EnrolmentEndpoint,
  type EnrolmentResponse,
} from "../../src/authority/enrolment/enrolment-endpoint.ts";
import { createMachineKeys } from "../../src/authority/enrolment/machine-keys.ts";
import type { FeedCertifier } from "../../src/authority/feed/feed-signer.ts";
import { type ProofKey, proofKeyOf } from "../../src/authority/enrolment/enrolment-proof.ts";
import {
  createWorkloadAdmission,
  type WorkloadAdmission,
} from "../../src/authority/enrolment/workload-admission.ts";
import { createWorkloadRegister } from "../../src/authority/enrolment/workload-register.ts";

export const ISSUER = "https://sallyport.example.com";
export const START_MS = Date.UTC(2026, 5, 1, 12);
const YEAR_MS = 365 * 86_400_000;

export interface FixtureCa extends MachineCertificates, FeedCertifier {
  readonly rootPem: string;
  roots(): readonly string[];
  issue(
    order: Parameters<FeedCertifier["issue"]>[0],
  ): ReturnType<MachineCertificates["issue"]> & ReturnType<FeedCertifier["issue"]>;
  server(
    dnsNames?: readonly string[],
    uris?: readonly string[],
  ): { readonly cert: string; readonly key: string };
}

export function createFixtureCa(clock: { now(): number }, commonName = "root"): FixtureCa {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { commonName, privateKey };
  const root = issueCertificate(
    {
      commonName,
      publicKey,
      notBeforeMs: clock.now() - YEAR_MS,
      notAfterMs: clock.now() + 10 * YEAR_MS,
      authority: { pathLength: 0 },
    },
    issuer,
  );
  return {
    rootPem: root.pem,
    roots: () => [root.pem],
    issue({ lifetimeMs, ...content }) {
      const notBeforeMs = Math.floor(clock.now() / 1000) * 1000;
      const notAfterMs = notBeforeMs + lifetimeMs;
      return { ...issueCertificate({ ...content, notBeforeMs, notAfterMs }, issuer), notAfterMs };
    },
    server(dnsNames = ["localhost"], uris = []) {
      const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const { pem } = issueCertificate(
        {
          commonName: "authority",
          publicKey: keys.publicKey,
          // The runtime verifies it by the real clock.
          notBeforeMs: Date.now() - YEAR_MS,
          notAfterMs: Date.now() + YEAR_MS,
          usages: ["server"],
          dnsNames,
          uris,
          ipAddresses: [],
        },
        issuer,
      );
      return { cert: pem, key: keys.privateKey.export({ type: "pkcs8", format: "pem" }) };
    },
  };
}

/** Everything of one authority but its listener. Several may share a store. */
export class FixtureAuthority {
  readonly clock: ManualClock;
  /** Of the machine. */
  readonly timers = new ManualTimers();
  readonly registerTimers = new ManualTimers();
  readonly log = recordedLog();
  readonly metrics = recordedMetrics();
  readonly store: MemoryStore;
  readonly ca: FixtureCa;
  readonly register: WorkloadRegister;
  readonly enrolment: Enrolment;
  readonly endpoint: EnrolmentEndpoint;
  readonly admission: WorkloadAdmission;

  constructor(beside?: FixtureAuthority, nowMs = START_MS) {
    this.clock = beside?.clock ?? new ManualClock(nowMs);
    this.store = beside?.store ?? createMemoryStore(this.clock);
    this.ca = beside?.ca ?? createFixtureCa(this.clock);
    const { clock, registerTimers: timers, log, metrics, store, ca } = this;
    this.register = createWorkloadRegister({
      store,
      ca,
      clock,
      timers,
      log,
      metrics,
      randomBytes,
      issuer: ISSUER,
    });
    this.admission = createWorkloadAdmission({ store, clock, issuer: ISSUER });
    this.enrolment = createEnrolment({ store, ca, clock, log, issuer: ISSUER });
    this.endpoint = createEnrolmentEndpoint({
      enrolment: this.enrolment,
      machineKeys: createMachineKeys({ store }),
      admission: this.admission,
      ca,
      clock,
      log,
      metrics,
      issuer: ISSUER,
    });
  }

  async invite(name: string, kind: "proxy" | "workload" = "proxy"): Promise<Invitation> {
    return invitation(await this.register.enrol(name, { kind, method: "mtls", by: "ops" }));
  }
}

export function invitation(result: Invitation | WorkloadRefusal): Invitation {
  if ("refused" in result) throw new Error(`refused: ${result.refused}`);
  return result;
}

export function newKey(): ProofKey {
  return proofKeyOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
}

export function keyOf(pem: string): KeyObject {
  return createPrivateKey(pem);
}

/** How the authority's listener would see who presents this certificate. */
export function peerOf(pem: string, ca: MachineCertificates, clock: { now(): number }): PeerTls {
  return verifyPeer(
    {
      certificates: pemBlocks(pem, "CERTIFICATE"),
      authorized: true,
      authorizationError: undefined,
    },
    { current: trustOf(ca) },
    clock.now(),
  );
}

function trustOf(ca: MachineCertificates) {
  const anchors = ca
    .roots()
    .flatMap((pem) => pemBlocks(pem, "CERTIFICATE").map((der) => parseCertificate(der)));
  return { anchors, lists: undefined };
}

/** The authority's endpoint over TLS on loopback. HTTP just well enough for our own client: `node:https` on Bun shows no certificates. */
export class FixtureServer {
  readonly authority: FixtureAuthority;
  readonly server: Server;
  /** Requests that came, in order. */
  readonly requests: { readonly line: string; readonly body: string }[] = [];
  /** Called before an answer is sent; true cuts the connection instead. */
  cut: (line: string) => boolean = () => false;
  /** Changes what a machine is granted. */
  answer: ((body: Record<string, unknown>) => Record<string, unknown>) | undefined;
  /** Knows no such address, as a relay. */
  refuse = false;
  /** What `/roots` answers in place of the authority's own. */
  rootsText: string | undefined;
  readonly #sockets = new Set<TLSSocket>();

  /** `ca`: who vouches for the server; another one for who stands in between. */
  constructor(authority: FixtureAuthority, ca: FixtureCa = authority.ca) {
    this.authority = authority;
    this.server = createServer(
      { ...ca.server(), requestCert: true, rejectUnauthorized: false },
      (socket) => this.#connection(socket),
    );
    this.server.on("tlsClientError", () => undefined);
  }

  async start(): Promise<this> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this;
  }

  get url(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #connection(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
      if (end === -1 || text.length < end + 4 + length) return;
      const [head, body] = [text.slice(0, end), text.slice(end + 4)];
      void this.#answer(socket, head, body);
    });
  }

  async #answer(socket: TLSSocket, head: string, body: string): Promise<void> {
    const line = head.split(" ", 2).join(" ");
    this.requests.push({ line, body });
    const type = /^content-type: ([^\r\n]*)/im.exec(head)?.[1] ?? "";
    const result = await this.#route(line, { type, body, socket });
    if (this.cut(line)) {
      socket.destroy();
      return;
    }
    const { status, fields, body: given } = result ?? { status: 404, fields: [], body: "" };
    const changed = this.answer !== undefined && status === 200 && line !== "GET /roots";
    const text = changed ? JSON.stringify(this.answer?.(JSON.parse(given))) : given;
    const lines = [`HTTP/1.1 ${status} Status`, `content-length: ${Buffer.byteLength(text)}`];
    for (let at = 0; at < fields.length; at += 2) lines.push(`${fields[at]}: ${fields[at + 1]}`);
    socket.end(`${lines.join("\r\n")}\r\nconnection: close\r\n\r\n${text}`);
  }

  async #route(
    line: string,
    {
      type,
      body,
      socket,
    }: { readonly type: string; readonly body: string; readonly socket: TLSSocket },
  ): Promise<EnrolmentResponse | undefined> {
    const { endpoint, clock, ca } = this.authority;
    if (this.refuse) return undefined;
    if (line === "GET /roots") {
      const roots = endpoint.roots();
      return { ...roots, body: this.rootsText ?? roots.body };
    }
    const presented = socket.getPeerX509Certificate()?.raw;
    const given = {
      contentType: [type],
      body: Buffer.from(body, "latin1"),
      peer:
        presented === undefined
          ? undefined
          : peerOf(pemText("CERTIFICATE", Buffer.from(presented)), ca, clock),
      address: "192.0.2.1",
    };
    if (line === "POST /enrol") return endpoint.enrol(given);
    if (line === "POST /renew") return endpoint.renew(given);
    return undefined;
  }
}

/** A folder of its own that goes with the test. */
export class TemporaryFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(join(tmpdir(), "sallyport-identity-")));
  }

  at(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

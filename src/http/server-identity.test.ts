/** Services that have to be one workload: who is taken for it, and what a connection needs beside. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { createRoot, OID, type TestCertificate } from "../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { TestTrustDomain } from "../../test/workload-api.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { createTrustBundle, type TrustBundle } from "../identity/spiffe/trust-bundle.ts";
import type {
  WorkloadPart,
  WorkloadSource,
  WorkloadSvid,
} from "../identity/spiffe/workload-source.ts";
import { systemClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { serviceTlsSchema } from "./tls-options.ts";
import { UpstreamTls, workloadParts } from "./upstream-tls.ts";

const ID = "spiffe://example.org/billing";

/** What an agent would bring, as a test sets it. */
class FakeWorkload implements WorkloadSource {
  own: WorkloadSvid | undefined;
  readonly bundles = new Map<string, TrustBundle>();
  readonly #watchers = new Set<(part: WorkloadPart) => void>();

  get watchers(): number {
    return this.#watchers.size;
  }
  svid(): WorkloadSvid | undefined {
    return this.own;
  }
  bundle(part: string, trustDomain: string): TrustBundle | undefined {
    return part === "x509-bundles" ? this.bundles.get(trustDomain) : undefined;
  }
  want(): Promise<void> {
    return Promise.resolve();
  }
  watch(changed: (part: WorkloadPart) => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }
  tell(part: WorkloadPart): void {
    for (const watcher of this.#watchers) watcher(part);
  }
  standing(): ReturnType<WorkloadSource["standing"]> {
    return {};
  }
  close(): void {
    this.#watchers.clear();
  }
}

/** A service that shows a certificate, and a way to it. */
class Ground {
  readonly workload = new FakeWorkload();
  readonly log = recordedLog();
  readonly metrics = recordedMetrics();
  readonly received: string[] = [];
  readonly shown: string[] = [];
  readonly #open = new Set<Socket>();
  readonly #server: ReturnType<typeof createServer>;
  #tls: UpstreamTls | undefined;

  constructor(service: TestCertificate) {
    this.#server = createServer({
      cert: service.chainPem,
      key: service.keyPem,
      requestCert: true,
      rejectUnauthorized: false,
    });
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      this.#open.add(socket);
      this.shown.push(socket.getPeerX509Certificate()?.subjectAltName ?? "nobody");
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk: Buffer) => this.received.push(chunk.toString()));
    });
    this.#server.on("tlsClientError", () => undefined);
  }

  trust(trustDomain: string, ...authorities: readonly TestCertificate[]): this {
    const x509 = authorities.map(({ der }) => parseCertificate(der));
    const bundle = createTrustBundle({ trustDomain, x509, jwt: new Map() });
    this.workload.bundles.set(trustDomain, bundle);
    return this;
  }

  async start(options: Record<string, unknown>, files: Record<string, string> = {}): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const { log, metrics, workload } = this;
    this.#tls = new UpstreamTls("one", serviceTlsSchema.parse(options), {
      clock: systemClock,
      timers: new ManualTimers(),
      log,
      metrics,
      workload,
      readFile: (file) => Buffer.from(files[file] ?? ""),
    });
    return this;
  }

  get tls(): UpstreamTls {
    if (this.#tls === undefined) throw new TypeError("not started");
    return this.#tls;
  }

  /** Opens a connection; the code of its failure, or the connection. */
  async open(): Promise<Socket | string> {
    const { port } = this.#server.address() as AddressInfo;
    const socket = this.tls.open({ host: "127.0.0.1", port, secure: true });
    return await new Promise((resolve) => {
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.once("secureConnect", () => {
        socket.write("hello");
        resolve(socket);
      });
    });
  }

  async opened(): Promise<Socket> {
    const socket = await this.open();
    if (typeof socket === "string") throw new Error(`not opened: ${socket}`);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tls?.close();
    for (const socket of this.#open) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}

const root = createRoot("example.org");

test("a service is taken with exactly its SPIFFE ID, and by no name", async () => {
  // No address and no name in it: for a SPIFFE identity they say nothing.
  await using ground = await new Ground(root.issue({ name: "x", uri: [ID] }))
    .trust("example.org", root)
    .start({ serverId: ID });
  const socket = await ground.opened();
  socket.destroy();
  assert.deepEqual(ground.log.lines, []);
});

test("one of several IDs, or any of a trust domain, is taken where that is said", async () => {
  for (const options of [
    { serverId: ["spiffe://example.org/other", ID] },
    { serverTrustDomain: "example.org" },
  ]) {
    await using ground = await new Ground(root.issue({ name: "x", uri: [ID] }))
      .trust("example.org", root)
      .start(options);
    const socket = await ground.opened();
    socket.destroy();
  }
});

test("an SVID of an authority below the one in the bundle is taken, and by a bundle of that one alone", async () => {
  const below = root.issue({ name: "below", authority: true });
  for (const trusted of [root, below]) {
    await using ground = await new Ground(below.issue({ name: "x", uri: [ID] }))
      .trust("example.org", trusted)
      .start({ serverId: ID });
    const socket = await ground.opened();
    socket.destroy();
  }
});

interface Stranger {
  readonly who: string;
  readonly certificate: TestCertificate;
  readonly says: RegExp;
}

test("whoever else answers gets no byte, and the log says who it was", async () => {
  const other = createRoot("other.example");
  const sameName = createRoot("example.org");
  const address = { ip: ["127.0.0.1"], dns: ["billing.example.org"] };
  const strangers: readonly Stranger[] = [
    {
      who: "another workload of the trust domain",
      certificate: root.issue({ name: "x", uri: ["spiffe://example.org/mailer"], ...address }),
      says: /it is spiffe:\/\/example\.org\/mailer/,
    },
    {
      who: "an ID that begins like it",
      certificate: root.issue({ name: "x", uri: [`${ID}/x`], ...address }),
      says: /it is spiffe:\/\/example\.org\/billing\/x/,
    },
    {
      who: "an ID that differs in case",
      certificate: root.issue({ name: "x", uri: ["spiffe://example.org/Billing"], ...address }),
      says: /it is spiffe:\/\/example\.org\/Billing/,
    },
    {
      who: "the ID, of an authority that is another's",
      certificate: other.issue({ name: "x", uri: [ID], ...address }),
      says: /UNABLE_TO|SELF_SIGNED/,
    },
    {
      who: "the ID, of an authority of the same name",
      certificate: sameName.issue({ name: "x", uri: [ID], ...address }),
      says: /UNABLE_TO|SELF_SIGNED|CERT_SIGNATURE|ERR_/,
    },
    {
      who: "an address without an ID",
      certificate: root.issue({ name: "x", ...address }),
      says: /no SVID: it has 0 URIs/,
    },
    {
      who: "the ID beside another one",
      certificate: root.issue({ name: "x", uri: [ID, "spiffe://example.org/mailer"], ...address }),
      says: /no SVID: it has 2 URIs/,
    },
    {
      who: "an SVID for callers only",
      certificate: root.issue({ name: "x", uri: [ID], usages: [OID.clientAuth], ...address }),
      says: /not meant for this use|PURPOSE/,
    },
    {
      who: "an SVID that has expired",
      certificate: root.issue({ name: "x", uri: [ID], notAfter: new Date(0), ...address }),
      says: /EXPIRED/,
    },
  ];
  for (const { who, certificate, says } of strangers) {
    await using ground = await new Ground(certificate)
      .trust("example.org", root)
      .start({ serverId: ID });
    const code = await ground.open();
    assert.equal(typeof code, "string", who);
    assert.match(ground.log.lines.join("\n"), says, who);
    assert.match(ground.log.lines.join("\n"), /TLS to a service failed/, who);
    assert.deepEqual(ground.received, [], who);
    assert.equal(ground.metrics.value("sallyport_upstream_tls_failures_total one"), 1, who);
  }
});

test("an ID is verified by its own trust domain, and not by another that is trusted too", async () => {
  const partner = createRoot("partner.example");
  // The partner's authority vouches for a workload of ours.
  await using ground = await new Ground(partner.issue({ name: "x", uri: [ID] }))
    .trust("example.org", root)
    .trust("partner.example", partner)
    .start({ serverId: [ID, "spiffe://partner.example/billing"] });
  assert.equal(await ground.open(), "ERR_TLS_WRONG_SPIFFE_ID");
  assert.match(ground.log.lines.join("\n"), /no path from its issuer/);
  assert.deepEqual(ground.received, []);
});

test("by the authorities of a file an ID is verified without an agent's bundle", async () => {
  await using ground = await new Ground(root.issue({ name: "x", uri: [ID] })).start(
    { serverId: ID, ca: "ca.pem" },
    { "ca.pem": root.pem },
  );
  const socket = await ground.opened();
  socket.destroy();
  assert.equal(ground.workload.watchers, 0);
});

test("without a bundle, or without our SVID, no connection is opened; with them it is, and shows the newest", async () => {
  await using ground = await new Ground(root.issue({ name: "x", uri: [ID] })).start({
    identity: "workload-api",
    serverId: ID,
  });
  const { workload, log } = ground;
  assert.equal(await ground.open(), "ERR_TLS_NO_SVID");
  assert.match(log.lines.at(-1) ?? "", /no X\.509-SVID that is valid/);
  workload.own = svidOf("/proxy");
  workload.tell("svid");
  assert.equal(await ground.open(), "ERR_TLS_NO_SVID");
  assert.match(log.lines.at(-1) ?? "", /no bundle of example\.org/);
  ground.trust("example.org", root);
  workload.tell("x509-bundles");
  const first = await ground.opened();
  workload.own = svidOf("/renewed");
  workload.tell("svid");
  const second = await ground.opened();
  assert.ok(!first.destroyed, "an open connection goes on");
  // The service has seen both once the second has answered it.
  while (ground.received.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ground.shown, [
    "URI:spiffe://example.org/proxy",
    "URI:spiffe://example.org/renewed",
  ]);
  workload.own = undefined;
  workload.tell("svid");
  assert.equal(await ground.open(), "ERR_TLS_NO_SVID");
  assert.ok(!second.destroyed);
  first.destroy();
  second.destroy();
});

test("a connection ends when the authority that it rests on leaves the bundle, and only then", async () => {
  await using ground = await new Ground(root.issue({ name: "x", uri: [ID] }))
    .trust("example.org", root)
    .start({ serverId: ID });
  const socket = await ground.opened();
  const next = createRoot("example.org");
  ground.trust("example.org", root, next);
  ground.workload.tell("x509-bundles");
  assert.ok(!socket.destroyed);
  ground.trust("example.org", next);
  ground.workload.tell("x509-bundles");
  assert.ok(socket.destroyed);
  await new Promise((resolve) => socket.once("close", resolve));
  assert.match(ground.log.lines.join("\n"), /the service is not who it has to be: .*no path/);
});

test("close() of a service leaves nothing that listens to the agent", async () => {
  const ground = await new Ground(root.issue({ name: "x", uri: [ID] }))
    .trust("example.org", root)
    .start({ serverId: ID });
  assert.equal(ground.workload.watchers, 1);
  await ground[Symbol.asyncDispose]();
  assert.equal(ground.workload.watchers, 0);
});

test("workloadParts() says what of the agent a service uses", () => {
  const parts = (options: object): string[] => [...workloadParts(serviceTlsSchema.parse(options))];
  assert.deepEqual(parts({}), []);
  assert.deepEqual(parts({ identity: "workload-api" }), ["svid"]);
  assert.deepEqual(parts({ serverId: ID }), ["x509-bundles"]);
  assert.deepEqual(parts({ serverTrustDomain: "a", identity: "workload-api" }), [
    "svid",
    "x509-bundles",
  ]);
  assert.deepEqual(parts({ serverId: ID, ca: "ca.pem" }), []);
});

function svidOf(path: string): WorkloadSvid {
  const { certificatePem, keyPem } = new TestTrustDomain("example.org").issue(path);
  return {
    spiffeId: `spiffe://example.org${path}`,
    trustDomain: "example.org",
    certificatePem,
    keyPem,
    thumbprint: "",
    notBefore: 0,
    notAfter: Number.MAX_SAFE_INTEGER,
  };
}

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRoot, OID, type TestCertificate } from "../../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import { TestAgent, TestTrustDomain } from "../../../test/workload-api.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import {
  writeJwtBundlesResponse,
  writeX509BundlesResponse,
  writeX509SvidResponse,
  type X509SvidMessage,
} from "../../wire/workload-api-messages.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { createWorkloadBundleSource } from "./workload-bundle.ts";
import { createWorkloadApiPool, type WorkloadApiPool } from "./workload-api-pool.ts";
import type { WorkloadPart, WorkloadSource } from "./workload-source.ts";

const HOUR_MS = 3_600_000;
const INVALID_ARGUMENT = 3;

/** An agent at a socket, and a client of it whose clock and timers a test turns. */
class Ground {
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-agent-"));
  readonly domain = new TestTrustDomain("example.org");
  readonly clock = new ManualClock(Date.now());
  readonly timers = new ManualTimers();
  readonly log = recordedLog();
  readonly metrics = recordedMetrics();
  readonly agent: TestAgent;
  readonly pool: WorkloadApiPool;
  readonly source: WorkloadSource;
  readonly changes: WorkloadPart[] = [];

  constructor({ id }: { readonly id?: string } = {}) {
    const address = `unix:${this.folder}/agent.sock`;
    this.agent = new TestAgent(address);
    const { clock, timers, log, metrics } = this;
    this.pool = createWorkloadApiPool({ clock, timers, log, metrics });
    this.source = this.pool.open({ address, id });
    this.source.watch((part) => this.changes.push(part));
  }

  standing(part: WorkloadPart = "svid"): string {
    return this.source.standing()[part] ?? "";
  }

  /** Waits until it holds: what comes over the socket comes by itself. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!holds()) {
      if (performance.now() > deadline) {
        throw new Error(`it did not happen: ${JSON.stringify(this.source.standing())}`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async says(text: RegExp, part: WorkloadPart = "svid"): Promise<void> {
    await this.until(() => text.test(this.standing(part)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.source.close();
    this.agent.stop();
    rmSync(this.folder, { recursive: true });
    return Promise.resolve();
  }
}

test("want() brings the default identity when the agent hands several out", async () => {
  await using ground = new Ground();
  const { agent, domain, source } = ground;
  await agent.start();
  const first = domain.issue("/proxy");
  agent.serve([first, domain.issue("/other")]);
  await source.want("svid");
  assert.equal(source.svid()?.spiffeId, "spiffe://example.org/proxy");
  assert.equal(source.svid()?.certificatePem, first.certificatePem);
  assert.equal(source.svid()?.keyPem, first.keyPem);
  assert.deepEqual(agent.headers, ["true"]);
  assert.match(ground.standing(), /^current: spiffe:\/\/example\.org\/proxy until /);
  assert.equal(ground.metrics.value("sallyport_workload_api_updates_total svid applied"), 1);
  assert.equal(ground.metrics.value("sallyport_workload_api_current"), 1);
  const until = Math.floor((source.svid()?.notAfter ?? 0) / 1000);
  assert.equal(ground.metrics.value("sallyport_workload_svid_not_after_seconds"), until);
});

test("want() brings the identity that the options name", async () => {
  await using ground = new Ground({ id: "spiffe://example.org/other" });
  const { agent, domain, source } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy"), domain.issue("/other")]);
  await source.want("svid");
  assert.equal(source.svid()?.spiffeId, "spiffe://example.org/other");
});

test("want() brings bundles of all trust domains, of X.509 and JWT apart", async () => {
  await using ground = new Ground();
  const { agent, domain, source } = ground;
  const partner = new TestTrustDomain("partner.example");
  await agent.start();
  agent.serveBundles([domain, partner]);
  agent.serveJwtBundles(new Map([[domain.id, Buffer.from('{"keys":[]}')]]));
  await Promise.all([source.want("x509-bundles"), source.want("jwt-bundles")]);
  assert.deepEqual(
    source.bundle("x509-bundles", "partner.example")?.x509.map(({ der }) => der),
    partner.authorities,
  );
  assert.equal(source.bundle("x509-bundles", "stranger.example"), undefined);
  assert.deepEqual([...(source.bundle("jwt-bundles", "example.org")?.jwt.keys() ?? ["none"])], []);
  assert.equal(ground.standing("x509-bundles"), "current: 2 trust domains");
  // Nobody wanted an identity, so the agent was not asked for one.
  assert.equal(agent.opened.svid, 0);
});

test("a message replaces what was there, and watchers are told after it is in force", async () => {
  await using ground = new Ground();
  const { agent, domain, source } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy")]);
  await source.want("svid");
  const seen: (string | undefined)[] = [];
  const unwatch = source.watch(() => seen.push(source.svid()?.certificatePem));
  const second = domain.issue("/proxy");
  agent.serve([second]);
  await ground.until(() => seen.length === 1);
  assert.deepEqual(seen, [second.certificatePem]);
  unwatch();
  // The same again changes nothing, so that no TLS context is made anew.
  const changes = ground.changes.length;
  agent.serve([second]);
  await ground.until(
    () => ground.metrics.value("sallyport_workload_api_updates_total svid unchanged") === 1,
  );
  assert.equal(ground.changes.length, changes);
  assert.equal(seen.length, 1);
});

test("the agent's end is tried again after a pause that doubles and is spread", async () => {
  await using ground = new Ground();
  const { source, timers } = ground;
  void source.want("svid");
  const pauses: number[] = [];
  for (let round = 0; round < 8; round++) {
    await ground.says(/cannot be reached.*ENOENT/);
    await ground.until(() => timers.delays.length === 1 && timers.delays[0] !== 10_000);
    pauses.push(timers.delays[0] ?? 0);
    timers.runAll();
    await ground.until(() => timers.delays.length === 1);
  }
  for (const [index, pause] of pauses.entries()) {
    const whole = Math.min(1000 * 2 ** index, 30_000);
    assert.ok(pause >= whole / 2 && pause < whole, `pause ${index}: ${pause}`);
  }
  assert.equal(source.svid(), undefined);
  // Each change is said once, and not each try.
  assert.equal(ground.log.lines.filter((line) => line.includes("not current")).length, 1);
  assert.equal(ground.metrics.value("sallyport_workload_api_current"), 0);
});

test("PermissionDenied is tried again, and said to operators", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers } = ground;
  await agent.start();
  await source.want("svid");
  await ground.says(/^none: PermissionDenied: no identity is registered .*no identity issued/);
  agent.serve([domain.issue("/proxy")]);
  timers.runAll();
  await ground.says(/^current: /);
  assert.ok(ground.log.lines.some((line) => line.includes("the agent answers again")));
});

test("InvalidArgument is the end, and said; the SVID serves on until it expires", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers, clock } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy")]);
  await source.want("svid");
  agent.push("svid", { code: INVALID_ARGUMENT, detail: "you did it wrong" });
  await ground.says(/^not current \(InvalidArgument: you did it wrong, since .*\): spiffe:/);
  assert.ok(
    ground.log.lines.some((line) => line.startsWith("error workload API: the agent refuses")),
  );
  assert.notEqual(source.svid(), undefined);
  const opened = agent.opened.svid;
  // Nothing but the end of the SVID is waited for.
  clock.advance(HOUR_MS);
  timers.runAll();
  assert.equal(source.svid(), undefined);
  assert.equal(agent.opened.svid, opened);
  assert.deepEqual(timers.delays, []);
  assert.match(ground.standing(), /^none: InvalidArgument/);
});

test("an SVID that has expired is gone, watchers are told, and it is logged", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers, clock } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy", { notAfterMs: clock.now() + 60_000 })]);
  await source.want("svid");
  const before = ground.changes.length;
  clock.advance(59_000);
  timers.runAll();
  assert.notEqual(source.svid(), undefined);
  clock.advance(2000);
  timers.runAll();
  assert.equal(source.svid(), undefined);
  assert.equal(ground.changes.length, before + 1);
  assert.ok(ground.log.lines.some((line) => line.includes("has expired, and no other has come")));
  assert.equal(ground.metrics.value("sallyport_workload_svid_not_after_seconds"), 0);
});

test("a stream that stays silent when a renewal is due is opened anew", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers, clock } = ground;
  await agent.start();
  const until = clock.now() + HOUR_MS;
  agent.serve([domain.issue("/proxy", { notBeforeMs: clock.now(), notAfterMs: until })]);
  await source.want("svid");
  assert.equal(agent.opened.svid, 1);
  clock.advance(HOUR_MS * 0.74);
  timers.runAll();
  assert.equal(agent.opened.svid, 1);
  clock.advance(HOUR_MS * 0.02);
  timers.runAll();
  await agent.streamOpened("svid", 2);
  await ground.until(() => agent.streams === 1);
  assert.notEqual(source.svid(), undefined);
});

test("an agent that hangs is given up after a time, and what it says later counts no more", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers } = ground;
  agent.answers.set("svid", "silence");
  await agent.start();
  const wanted = source.want("svid");
  await agent.streamOpened("svid", 1);
  assert.deepEqual(timers.delays, [10_000]);
  timers.runAll();
  await wanted;
  assert.match(ground.standing(), /^none: no answer within 10 s/);
  await ground.until(() => agent.streams === 0);
  agent.serve([domain.issue("/proxy")]);
  timers.runAll();
  await ground.says(/^current: /);
});

test("an agent that floods is cut off until the pause is over", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy")]);
  await source.want("svid");
  const last = domain.issue("/proxy");
  for (let count = 0; count < 70; count++)
    agent.serve([count % 2 === 0 ? last : domain.issue("/x")]);
  await ground.says(/more than 64 updates within 10 s/);
  await ground.until(() => agent.streams === 0);
  assert.notEqual(source.svid(), undefined);
  agent.serve([last]);
  ground.clock.advance(10_000);
  timers.runAll();
  await ground.says(/^current: /);
});

test("a restart of the agent keeps the SVID, and all streams come back with the first", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy")]);
  agent.serveBundles([domain]);
  await Promise.all([source.want("svid"), source.want("x509-bundles")]);
  agent.stop();
  await ground.says(/^not current \(.*: spiffe:/);
  await ground.says(/^not current \(.*: 1 trust domains$/, "x509-bundles");
  assert.notEqual(source.svid(), undefined);
  assert.notEqual(source.bundle("x509-bundles", "example.org"), undefined);
  const renewed = domain.issue("/proxy");
  agent.serve([renewed]);
  await agent.start();
  timers.runAll();
  await ground.says(/^current: /);
  await ground.says(/^current: /, "x509-bundles");
  assert.equal(source.svid()?.certificatePem, renewed.certificatePem);
});

test("open() gives one client for one agent, which ends with its last user", async () => {
  await using ground = new Ground();
  const { agent, domain, pool, source } = ground;
  await agent.start();
  agent.serve([domain.issue("/proxy")]);
  await source.want("svid");
  const again = pool.open({ address: `unix:${ground.folder}/agent.sock`, id: undefined });
  await again.want("svid");
  assert.equal(agent.opened.svid, 1);
  again.close();
  again.close();
  assert.equal(agent.streams, 1);
  source.close();
  await ground.until(() => agent.streams === 0);
});

interface Hostile {
  readonly sends: string;
  readonly svids?: readonly X509SvidMessage[];
  readonly bytes?: Uint8Array;
  readonly says: RegExp;
}

/** What is wrong with an SVID is said with its ID; nothing of it is taken. */
function hostileSvids(domain: TestTrustDomain): readonly Hostile[] {
  const good = domain.issue("/proxy").message;
  const other = domain.issue("/other").message;
  const stranger = new TestTrustDomain("example.org").issue("/proxy").message;
  const root = createRoot("odd");
  const id = "spiffe://example.org/proxy";
  const odd = (options: Parameters<TestCertificate["issue"]>[0]): X509SvidMessage => {
    const leaf = root.issue(options);
    const key = leaf.keys.privateKey.export({ type: "pkcs8", format: "der" });
    return { spiffeId: id, certificates: leaf.der, key, bundle: root.der, hint: "" };
  };
  const below = (options: { readonly uri: readonly string[] }): X509SvidMessage => {
    const middle = root.issue({ name: "middle", authority: true, ...options });
    const leaf = middle.issue({ name: "x", uri: [id] });
    const key = leaf.keys.privateKey.export({ type: "pkcs8", format: "der" });
    const certificates = Buffer.concat([leaf.der, middle.der]);
    return { spiffeId: id, certificates, key, bundle: root.der, hint: "" };
  };
  const bad = Buffer.from("3003020101", "hex");
  const now = Date.now();
  return [
    { sends: "no identity", svids: [], says: /sent no identity/ },
    {
      sends: "an ID that is none",
      svids: [{ ...good, spiffeId: "https://example.org/proxy" }],
      says: /no SPIFFE ID/,
    },
    {
      sends: "another's certificate",
      svids: [{ ...other, spiffeId: id }],
      says: /its certificate is that of spiffe:\/\/example\.org\/other/,
    },
    {
      sends: "another's key",
      svids: [{ ...good, key: other.key }],
      says: /its key is another one's/,
    },
    {
      sends: "a key that is none",
      svids: [{ ...good, key: Buffer.from("secret") }],
      says: /its key is none that can be used/,
    },
    {
      sends: "no certificate",
      svids: [{ ...good, certificates: Buffer.alloc(0) }],
      says: /it has no certificate/,
    },
    { sends: "a chain that is none", svids: [{ ...good, certificates: bad }], says: /its chain: / },
    {
      sends: "bytes behind the chain",
      svids: [{ ...good, certificates: Buffer.concat([good.certificates, Buffer.from([5, 0])]) }],
      says: /its chain: tag/,
    },
    {
      sends: "a chain without end",
      svids: [{ ...good, certificates: Buffer.concat(Array(9).fill(good.certificates)) }],
      says: /its chain: more than 8/,
    },
    {
      sends: "no authority",
      svids: [{ ...good, bundle: Buffer.alloc(0) }],
      says: /its bundle: a bundle without an authority/,
    },
    {
      sends: "a bundle that is none",
      svids: [{ ...good, bundle: bad }],
      says: /its bundle: /,
    },
    {
      sends: "a workload as authority",
      svids: [{ ...good, bundle: good.certificates }],
      says: /its bundle: .* is not that of an authority/,
    },
    {
      sends: "the bundle of an authority of the same name",
      svids: [{ ...good, bundle: stranger.bundle }],
      says: /no path from its issuer/,
    },
    {
      sends: "an SVID that has expired",
      svids: [domain.issue("/proxy", { notBeforeMs: now - 9000, notAfterMs: now - 5000 }).message],
      says: /expired at/,
    },
    {
      sends: "an SVID for tomorrow",
      svids: [
        domain.issue("/proxy", { notBeforeMs: now + HOUR_MS, notAfterMs: now + 2 * HOUR_MS })
          .message,
      ],
      says: /not valid before/,
    },
    {
      sends: "an authority's certificate as ours",
      svids: [odd({ name: "x", uri: [id], authority: true })],
      says: /certificate of an authority/,
    },
    {
      sends: "a certificate without an ID",
      svids: [odd({ name: "x", dns: ["proxy.example.org"] })],
      says: /it has 0 URIs/,
    },
    {
      sends: "a certificate with two IDs",
      svids: [odd({ name: "x", uri: [id, "spiffe://example.org/admin"] })],
      says: /it has 2 URIs/,
    },
    {
      sends: "a certificate with another kind of URI",
      svids: [odd({ name: "x", uri: ["https://example.org/proxy"] })],
      says: /its URI is no SPIFFE ID/,
    },
    {
      sends: "the ID of a trust domain",
      svids: [
        { ...odd({ name: "x", uri: ["spiffe://example.org"] }), spiffeId: "spiffe://example.org" },
      ],
      says: /it names the trust domain/,
    },
    {
      sends: "a certificate whose key may not sign handshakes",
      svids: [odd({ name: "x", uri: [id], keyUsage: [5, 0x20] })],
      says: /no digitalSignature/,
    },
    {
      sends: "a certificate without a key usage",
      svids: [odd({ name: "x", uri: [id], keyUsage: null })],
      says: /no digitalSignature/,
    },
    {
      sends: "a certificate whose key may sign certificates",
      svids: [odd({ name: "x", uri: [id], keyUsage: [2, 0x84] })],
      says: /has keyCertSign/,
    },
    {
      sends: "a certificate whose key may sign revocation lists",
      svids: [odd({ name: "x", uri: [id], keyUsage: [1, 0x82] })],
      says: /has cRLSign/,
    },
    {
      sends: "a chain by way of a workload that may sign",
      svids: [below({ uri: ["spiffe://example.org/ca"] })],
      says: /signs, and its SPIFFE ID is not that of a trust domain/,
    },
    {
      sends: "a certificate for callers only",
      svids: [odd({ name: "x", uri: [id], usages: [OID.clientAuth] })],
      says: /not meant for this use/,
    },
    {
      sends: "a certificate for servers only",
      svids: [odd({ name: "x", uri: [id], usages: [OID.serverAuth] })],
      says: /not meant for this use/,
    },
    {
      sends: "identities without end",
      svids: Array(65).fill(good),
      says: /more than 64 identities/,
    },
    {
      sends: "a control character in the ID",
      svids: [{ ...good, spiffeId: "spiffe://example.org/proxy\u001b[2K" }],
      says: /a text with control characters/,
    },
    {
      sends: "an endless hint",
      svids: [{ ...good, hint: "x".repeat(2049) }],
      says: /a text of more than 2048 bytes/,
    },
    {
      sends: "bytes that are no message",
      bytes: Buffer.from("garbage"),
      says: /sent no protobuf|another type/,
    },
    {
      sends: "a message that is cut short",
      bytes: Buffer.from("0a7f01", "hex"),
      says: /no protobuf message/,
    },
    {
      sends: "a number for an identity",
      bytes: Buffer.from("0801", "hex"),
      says: /a field of another type/,
    },
    {
      sends: "a text that is not UTF-8",
      bytes: Buffer.from("0a040a02c328", "hex"),
      says: /a text that is not UTF-8/,
    },
    {
      sends: "a federated trust domain twice",
      bytes: Buffer.from("1a030a01611a030a0161", "hex"),
      says: /a trust domain that stands twice/,
    },
  ];
}

test("what an agent sends that cannot be used is refused, each with its words, and what was good stays", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers } = ground;
  await agent.start();
  const good = domain.issue("/proxy");
  agent.serve([good]);
  await source.want("svid");
  let refused = 0;
  for (const { sends, svids = [], bytes, says } of hostileSvids(domain)) {
    const sent = bytes ?? writeX509SvidResponse({ svids, federatedBundles: new Map() });
    agent.push("svid", { bytes: sent });
    await ground.until(() => ground.standing().startsWith("not current"));
    assert.match(ground.standing(), says, sends);
    assert.equal(source.svid()?.certificatePem, good.certificatePem, sends);
    refused += 1;
    const counted = ground.metrics.value("sallyport_workload_api_updates_total svid refused");
    assert.equal(counted, refused, sends);
    agent.serve([good]);
    ground.clock.advance(10_000);
    timers.runAll();
    await ground.says(/^current/);
  }
  const text = ground.log.lines.join("\n") + JSON.stringify(source.standing());
  const key = good.message.key.toString("base64");
  assert.ok(!text.includes(key.slice(0, 40)) && !text.includes("PRIVATE KEY"));
  assert.ok(!text.includes("\u001b"));
});

test("an SVID is taken by way of authorities between, and by a renewed root beside the one that has expired", async () => {
  await using ground = new Ground();
  const { agent, source } = ground;
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const former = createRoot("root", { keys, notAfter: new Date(Date.now() - HOUR_MS) });
  const renewed = createRoot("root", { keys });
  const middle = renewed.issue({ name: "middle", authority: true });
  const id = "spiffe://example.org/proxy";
  const leaf = middle.issue({ name: "x", uri: [id] });
  const message = {
    spiffeId: id,
    certificates: Buffer.concat([leaf.der, middle.der]),
    key: leaf.keys.privateKey.export({ type: "pkcs8", format: "der" }),
    bundle: Buffer.concat([former.der, renewed.der]),
    hint: "",
  };
  await agent.start();
  agent.push("svid", {
    bytes: writeX509SvidResponse({ svids: [message], federatedBundles: new Map() }),
  });
  await source.want("svid");
  assert.equal(source.svid()?.certificatePem, leaf.pem + middle.pem);
});

test("an identity other than the named one is refused", async () => {
  await using ground = new Ground({ id: "spiffe://example.org/proxy" });
  const { agent, domain, source } = ground;
  await agent.start();
  agent.serve([domain.issue("/admin")]);
  await source.want("svid");
  assert.match(ground.standing(), /no identity spiffe:\/\/example\.org\/proxy, but .*\/admin/);
  assert.equal(source.svid(), undefined);
});

test("a bundle for what is no trust domain refuses the message, one that cannot be used is left out alone", async () => {
  await using ground = new Ground();
  const { agent, domain, source, timers } = ground;
  const partner = new TestTrustDomain("partner.example");
  await agent.start();
  const send = (bundles: ReadonlyMap<string, Buffer>): void =>
    agent.push("x509-bundles", { bytes: writeX509BundlesResponse(bundles) });
  send(new Map([[domain.id, domain.bundle]]));
  await source.want("x509-bundles");
  for (const id of ["example.org", "spiffe://example.org/path", "spiffe://EXAMPLE.org", ""]) {
    send(new Map([[id, domain.bundle]]));
    await ground.says(/a bundle for what is no trust domain/, "x509-bundles");
    assert.equal(source.bundle("x509-bundles", "example.org")?.x509.length, 1);
    send(new Map([[domain.id, domain.bundle]]));
    ground.clock.advance(10_000);
    timers.runAll();
    await ground.says(/^current/, "x509-bundles");
  }
  const leaf = partner.issue("/x").message.certificates;
  for (const broken of [Buffer.alloc(0), Buffer.from("garbage"), leaf]) {
    send(
      new Map([
        [domain.id, domain.bundle],
        [partner.id, broken],
      ]),
    );
    await ground.says(/^current: 1 trust domains/, "x509-bundles");
    assert.equal(source.bundle("x509-bundles", "partner.example"), undefined);
    assert.equal(source.bundle("x509-bundles", "example.org")?.x509.length, 1);
    send(
      new Map([
        [domain.id, domain.bundle],
        [partner.id, partner.bundle],
      ]),
    );
    await ground.says(/^current: 2 trust domains/, "x509-bundles");
  }
  const said = ground.log.lines.filter((line) => line.includes("nobody of it is let in"));
  assert.equal(said.length, 3);
  assert.ok(said.every((line) => line.includes("partner.example")));
});

test("JWT bundles are plain key sets; those that cannot be used are left out alone", async () => {
  await using ground = new Ground();
  const { agent, source } = ground;
  await agent.start();
  const { publicKey } = generateKeyPairSync("ed25519");
  const jwk = publicKey.export({ format: "jwk" });
  const keys = [
    { ...jwk, kid: "plain" },
    { ...jwk, kid: "spiffe", use: "jwt-svid" },
    { ...jwk, kid: "jose", use: "sig" },
    { ...jwk, kid: "other", use: "x509-svid-to-come" },
  ];
  const bundles = new Map([
    ["spiffe://example.org", Buffer.from(JSON.stringify({ keys }))],
    ["spiffe://empty.example", Buffer.from('{"keys":[]}')],
    ["spiffe://a.example", Buffer.from("[]")],
    ["spiffe://b.example", Buffer.from('{"keys":{}}')],
    ["spiffe://c.example", Buffer.from('{"keys":[],"keys":[]}')],
    ["spiffe://d.example", Buffer.from([0xff])],
    ["spiffe://e.example", Buffer.from(JSON.stringify({ keys: [jwk] }))],
    ["spiffe://f.example", Buffer.from('{"keys":["x"]}')],
  ]);
  agent.push("jwt-bundles", { bytes: writeJwtBundlesResponse(bundles) });
  await source.want("jwt-bundles");
  assert.equal(ground.standing("jwt-bundles"), "current: 2 trust domains");
  const bundle = source.bundle("jwt-bundles", "example.org");
  assert.deepEqual([...(bundle?.jwt.keys() ?? [])], ["plain", "spiffe", "jose"]);
  assert.deepEqual(bundle?.x509, []);
  const said = ground.log.lines.filter((line) => line.includes("nobody of it is let in"));
  assert.equal(said.length, 6);
});

test("createWorkloadBundleSource() follows one trust domain, and tells of its changes alone", async () => {
  await using ground = new Ground();
  const { agent, domain, source } = ground;
  const partner = new TestTrustDomain("partner.example");
  await agent.start();
  agent.serveBundles([domain, partner]);
  const bundles = createWorkloadBundleSource(source, {
    trustDomain: "example.org",
    part: "x509-bundles",
  });
  const sees = (): TrustBundle | undefined => bundles.current;
  assert.equal(sees(), undefined);
  await bundles.start();
  const first = sees();
  assert.equal(first?.x509.length, 1);
  assert.equal(bundles.figures().usable, 1);
  const seen: (number | undefined)[] = [];
  bundles.onChange(() => seen.push(sees()?.x509.length));
  partner.rotate();
  agent.serveBundles([domain, partner]);
  await ground.until(() => source.bundle("x509-bundles", "partner.example")?.x509.length === 2);
  assert.equal(sees(), first, "what was verified by it stands");
  assert.deepEqual(seen, []);
  domain.rotate();
  agent.serveBundles([domain, partner]);
  await ground.until(() => seen.length === 1);
  // While the agent is away, what it said last holds.
  agent.stop();
  await ground.says(/^not current/, "x509-bundles");
  assert.equal(sees()?.x509.length, 2);
  agent.serveBundles([partner]);
  await agent.start();
  ground.timers.runAll();
  await ground.until(() => seen.length === 2);
  assert.deepEqual(seen, [2, undefined]);
  bundles.close();
  agent.serveBundles([domain]);
  await ground.until(() => source.bundle("x509-bundles", "example.org") !== undefined);
  assert.equal(sees(), undefined);
  assert.equal(seen.length, 2);
});

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import test from "node:test";
import type { ConnectionOptions } from "node:tls";
import {
  createRoot,
  der,
  extension,
  OID,
  sequence,
  type TestCertificate,
} from "../../test/certificates.ts";
import { clientOptions, TlsGround } from "../../test/tls-ground.ts";
import { RawPeer } from "./loopback.fixture.ts";

const HOUR_MS = 3_600_000;
const CLIENTS = { clients: { mode: "optional", ca: "ca.pem" } };
const REQUIRED = { clients: { mode: "required", ca: "ca.pem" } };
const REVOKING = { clients: { mode: "optional", ca: "ca.pem", crl: "clients.crl" } };
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

test("a listener with tls answers over TLS 1.2 and 1.3, and the request's scheme is https", async () => {
  await using ground = await new TlsGround().start();
  for (const version of VERSIONS) {
    const caller = await ground.caller({ minVersion: version, maxVersion: version });
    assert.equal(caller.tls.getProtocol(), version);
    assert.match(await caller.ask(), /^HTTP\/1\.1 200 [^]*https$/);
    caller.destroy();
  }
  assert.equal(ground.loopback.listener.scheme, "https");
  assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test complete"), 2);
});

test("a listener with minVersion TLSv1.3 refuses TLS 1.2", async () => {
  await using ground = await new TlsGround({ options: { minVersion: "TLSv1.3" } }).start();
  await assert.rejects(ground.caller({ maxVersion: "TLSv1.2" }));
  (await ground.caller()).destroy();
  assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test failed"), 1);
});

test("a listener speaks no cipher without forward secrecy or authenticated encryption", async () => {
  await using ground = await new TlsGround().start();
  for (const ciphers of ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"]) {
    await assert.rejects(ground.caller({ maxVersion: "TLSv1.2", ciphers }), ciphers);
  }
});

test("a listener agrees on h2 or http/1.1 and refuses a caller who speaks only something else", async () => {
  await using ground = await new TlsGround().start();
  const offers = [
    [["h2", "http/1.1"], "h2"],
    [["http/1.1", "h2"], "h2"],
    [["http/1.1"], "http/1.1"],
  ] as const;
  for (const [offer, agreed] of offers) {
    const caller = await ground.caller({ ALPNProtocols: [...offer] });
    assert.equal(caller.tls.alpnProtocol, agreed);
    caller.destroy();
  }
  await assert.rejects(ground.caller({ ALPNProtocols: ["h2c"] }));
});

test("a listener with HTTP/2 turned off agrees on http/1.1 alone", async () => {
  await using ground = await new TlsGround({ listener: { http2: { enabled: false } } }).start();
  const caller = await ground.caller({ ALPNProtocols: ["h2", "http/1.1"] });
  assert.equal(caller.tls.alpnProtocol, "http/1.1");
  caller.destroy();
  await assert.rejects(ground.caller({ ALPNProtocols: ["h2"] }));
});

test("SNI picks the certificate: exact names before wildcards, the first pair for all others", async () => {
  const root = createRoot("names");
  const made = (name: string, dns: string[]): [string, TestCertificate] => [
    name,
    root.issue({ name, dns }),
  ];
  const certificates = new Map([
    made("first", ["first.test"]),
    made("wild", ["*.apps.test"]),
    made("exact", ["one.apps.test", "two.test"]),
  ]);
  const files: Record<string, string> = {};
  for (const [name, one] of certificates) {
    files[`${name}.pem`] = one.chainPem;
    files[`${name}.key`] = one.keyPem;
  }
  const pairs = [...certificates.keys()].map((name) => ({
    certificate: `${name}.pem`,
    key: `${name}.key`,
  }));
  await using ground = await new TlsGround({ options: { certificates: pairs }, files }).start();
  const shown = async (servername: string): Promise<string> => {
    const caller = await ground.caller({ servername, rejectUnauthorized: false });
    const name = caller.shown;
    assert.match(await caller.ask(), /200/);
    caller.destroy();
    return name;
  };
  assert.equal(await shown("first.test"), "first");
  assert.equal(await shown("other.apps.test"), "wild");
  assert.equal(await shown("one.apps.test"), "exact");
  assert.equal(await shown("ONE.apps.test"), "exact");
  assert.equal(await shown("two.test"), "exact");
  assert.equal(await shown("a.b.apps.test"), "first");
  assert.equal(await shown("apps.test"), "first");
  assert.equal(await shown("unknown.test"), "first");
  assert.equal(await shown(""), "first");
});

test("reload() shows new connections the new certificate and leaves open ones alone", async () => {
  await using ground = await new TlsGround().start();
  const before = await ground.caller();
  const next = ground.root.issue({ name: "next", dns: ["localhost"] });
  ground.files.set("server.pem", next.chainPem).set("server.key", next.keyPem);
  ground.tls.reload();
  const after = await ground.caller();
  assert.equal(before.shown, "server");
  assert.equal(after.shown, "next");
  assert.match(await before.ask(), /200/);
  assert.match(await after.ask(), /200/);
  assert.equal(ground.metrics.value("sallyport_tls_reloads_total test loaded"), 1);
  assert.ok(ground.loopback.logged.includes("certificates reloaded"));
});

test("reload() shows the new certificates that SNI picks too", async () => {
  const { certificates, files, issue } = twoPairs();
  await using ground = await new TlsGround({ options: { certificates }, files }).start();
  const c = issue("c");
  ground.files.set("b.pem", c.chainPem).set("b.key", c.keyPem);
  ground.tls.reload();
  for (const [servername, name] of [
    ["c.test", "c"],
    ["b.test", "a"],
    ["x.test", "a"],
  ]) {
    const caller = await ground.caller({ servername, rejectUnauthorized: false });
    assert.equal(caller.shown, name);
    caller.destroy();
  }
});

test("reload() leaves the pair before in force when the new one cannot be used, and says so", async () => {
  await using ground = await new TlsGround().start();
  const next = ground.root.issue({ name: "next", dns: ["localhost"] });
  const broken: [why: string, certificate: string, key: string][] = [
    ["the key belongs to another", next.chainPem, ground.server.keyPem],
    ["no certificate", "", next.keyPem],
    ["cut short", next.chainPem.slice(0, 200), next.keyPem],
    ["a passphrase", next.chainPem, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"],
  ];
  for (const [why, certificate, key] of broken) {
    ground.files.set("server.pem", certificate).set("server.key", key);
    ground.tls.reload();
    const caller = await ground.caller();
    assert.equal(caller.shown, "server", why);
    caller.destroy();
  }
  assert.equal(ground.metrics.value("sallyport_tls_reloads_total test failed"), broken.length);
  const said = "certificates were not reloaded: those before stay in force";
  assert.equal(ground.loopback.logged.filter((event) => event === said).length, broken.length);
});

test("sessions are resumed on a listener without clients", async () => {
  await using ground = await new TlsGround().start();
  for (const version of VERSIONS) {
    const { resumed } = await resume(ground, { minVersion: version, maxVersion: version });
    assert.equal(resumed, true, version);
  }
  assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test resumed"), 2);
});

test("sessions are never resumed on a listener with clients, whatever name is asked for", async () => {
  const { certificates, files } = twoPairs();
  for (const mode of ["optional", "required"]) {
    const options = { certificates, clients: { mode, ca: "ca.pem" } };
    await using ground = await new TlsGround({ options, files }).start();
    const client = clientOptions(ground.root.issue({ name: "client" }));
    for (const reloaded of [false, true]) {
      if (reloaded) ground.tls.reload();
      for (const version of VERSIONS) {
        for (const servername of ["a.test", "b.test", "unknown.test", ""]) {
          const given = { minVersion: version, maxVersion: version, servername, ...client };
          const { resumed } = await resume(ground, { ...given, rejectUnauthorized: false });
          assert.equal(resumed, false, `${mode} ${version} ${servername}`);
        }
      }
    }
    assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test resumed"), 0);
    assert.ok(ground.peers.every((peer) => peer?.certificate?.subject === "CN=client"));
  }
});

test("a caller's certificate is handed on with its names, serial and thumbprint", async () => {
  await using ground = await new TlsGround({ options: CLIENTS }).start();
  const between = ground.root.issue({ name: "between", authority: true, pathLength: 0 });
  const uri = ["spiffe://prod.example.org/payments"];
  const client = between.issue({ name: "pay, ments", uri, dns: ["Pay.test"] });
  const caller = await ground.caller(clientOptions(client));
  await caller.ask();
  await caller.ask();
  const [first, second] = ground.peers;
  assert.equal(first, second, "verified once for a connection");
  const { certificate } = first ?? {};
  assert.equal(certificate?.subject, "CN=pay\\, ments");
  assert.equal(certificate?.issuer, "CN=between");
  assert.equal(certificate?.serial, client.serial.toString("hex"));
  assert.equal(certificate?.thumbprint, client.thumbprint);
  assert.deepEqual(certificate?.dnsNames, ["pay.test"]);
  assert.equal(certificate?.spiffeId, uri[0]);
  assert.equal(first?.refusal(Date.now()), undefined);
});

test("with mode optional no certificate passes; with mode required it is refused", async () => {
  for (const [options, refusal] of [
    [CLIENTS, undefined],
    [REQUIRED, "missing-certificate"],
  ] as const) {
    await using ground = await new TlsGround({ options }).start();
    const caller = await ground.caller();
    await caller.ask();
    assert.equal(ground.peers[0]?.refusal(Date.now()), refusal);
  }
});

test("a bad certificate is refused with its reason in either mode", async () => {
  const now = Date.now();
  for (const options of [CLIENTS, REQUIRED]) {
    await using ground = await new TlsGround({ options }).start();
    const { root } = ground;
    const notBefore = new Date(now + HOUR_MS);
    const notAfter = new Date(now - HOUR_MS);
    const client = root.issue({ name: "c" });
    const bad: [why: string, certificate: TestCertificate, reason: string][] = [
      ["another authority", createRoot("root").issue({ name: "c" }), "untrusted-certificate"],
      ["self-signed", createRoot("c", { authority: false }), "untrusted-certificate"],
      ["by what is no authority", client.issue({ name: "c" }), "untrusted-certificate"],
      [
        "for servers only",
        root.issue({ name: "c", usages: [OID.serverAuth] }),
        "untrusted-certificate",
      ],
      ["expired", root.issue({ name: "c", notAfter }), "certificate-expired"],
      ["not valid yet", root.issue({ name: "c", notBefore }), "certificate-expired"],
    ];
    for (const [why, certificate, reason] of bad) {
      const caller = await ground.caller(clientOptions(certificate));
      await caller.ask();
      assert.equal(ground.peers.at(-1)?.refusal(now), reason, why);
      assert.equal(ground.peers.at(-1)?.thumbprint, certificate.thumbprint, why);
      caller.destroy();
    }
  }
});

/** Both are read by the runtime alone (RFC 5280 sections 4.2 and 4.2.1.10). */
test("what only the runtime objects to is refused too: unknown critical extensions, name constraints", async () => {
  await using ground = await new TlsGround({ options: CLIENTS }).start();
  const { root } = ground;
  const unknown = (critical: boolean): Buffer =>
    extension("1.3.6.1.4.1.55555.1", critical, Buffer.from([5, 0]));
  const permitted = der(0xa0, sequence(der(0x82, Buffer.from("a.test"))));
  const constrained = root.issue({
    name: "constrained",
    authority: true,
    extensions: [extension("2.5.29.30", true, sequence(permitted))],
  });
  const cases: [why: string, certificate: TestCertificate, reason: string | undefined][] = [
    ["unknown", root.issue({ name: "c", extensions: [unknown(false)] }), undefined],
    ["critical", root.issue({ name: "c", extensions: [unknown(true)] }), "untrusted-certificate"],
    ["within", constrained.issue({ name: "c", dns: ["x.a.test"] }), undefined],
    ["outside", constrained.issue({ name: "c", dns: ["b.test"] }), "untrusted-certificate"],
  ];
  for (const [why, certificate, reason] of cases) {
    const caller = await ground.caller(clientOptions(certificate));
    await caller.ask();
    const peer = ground.peers.at(-1);
    assert.equal(peer?.refusal(Date.now()), reason, why);
    assert.equal(peer?.certificate === undefined, reason !== undefined, why);
    caller.destroy();
  }
});

test("a certificate that lapses while its connection is open is refused from then on", async () => {
  await using ground = await new TlsGround({ options: CLIENTS }).start();
  const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + HOUR_MS);
  const caller = await ground.caller(clientOptions(ground.root.issue({ name: "c", notAfter })));
  await caller.ask();
  const [peer] = ground.peers;
  assert.equal(peer?.refusal(notAfter.getTime()), undefined);
  assert.equal(peer?.refusal(notAfter.getTime() + 1000), "certificate-expired");
  assert.match(peer?.detail ?? "", /^CN=c: expired at /);
});

test("a certificate that is revoked while its connection is open is refused from then on", async () => {
  await using ground = await new TlsGround({ options: REVOKING }).start();
  const client = ground.root.issue({ name: "c" });
  const caller = await ground.caller(clientOptions(client));
  await caller.ask();
  const [peer] = ground.peers;
  assert.equal(peer?.refusal(Date.now()), undefined);
  ground.files.set("clients.crl", ground.root.crl({ revoked: [client] }));
  ground.tls.reload();
  assert.equal(peer?.refusal(Date.now()), "certificate-revoked");
  const again = await ground.caller(clientOptions(client));
  await again.ask();
  assert.equal(ground.peers.at(-1)?.refusal(Date.now()), "certificate-revoked");
});

test("a revocation list that is out of date, or of another authority, refuses", async () => {
  await using ground = await new TlsGround({ options: REVOKING }).start();
  const nextUpdate = new Date(Math.floor(Date.now() / 1000) * 1000 + HOUR_MS);
  ground.files.set("clients.crl", ground.root.crl({ nextUpdate }));
  ground.tls.reload();
  const caller = await ground.caller(clientOptions(ground.root.issue({ name: "c" })));
  await caller.ask();
  const [peer] = ground.peers;
  assert.equal(peer?.refusal(nextUpdate.getTime() - 1), undefined);
  assert.equal(peer?.refusal(nextUpdate.getTime()), "revocation-unknown");
  ground.files.set("clients.crl", createRoot("root").crl());
  ground.tls.reload();
  assert.equal(peer?.refusal(Date.now()), "revocation-unknown");
});

test("an authority that is taken away takes its certificates with it, on open connections too", async () => {
  await using ground = await new TlsGround({ options: CLIENTS }).start();
  const caller = await ground.caller(clientOptions(ground.root.issue({ name: "c" })));
  await caller.ask();
  ground.files.set("ca.pem", createRoot("other").pem);
  ground.tls.reload();
  assert.equal(ground.peers[0]?.refusal(Date.now()), "untrusted-certificate");
  assert.equal(ground.peers[0]?.certificate, undefined);
});

test("a handshake that takes longer than headTimeout is cut off and counted", async () => {
  await using ground = await new TlsGround().start();
  const silent = await raw(ground);
  const slow = await raw(ground);
  slow.send("\x16\x03\x01");
  await slowly(ground, 2);
  ground.loopback.pass(9999);
  assert.equal(silent.closed, false);
  ground.loopback.pass(2);
  await Promise.all([silent.untilClosed(), slow.untilClosed()]);
  assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test timeout"), 2);
});

test("plain HTTP on a TLS port is closed and counted, and so is what is no TLS at all", async () => {
  await using ground = await new TlsGround().start();
  for (const bytes of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\0\0\0\0\0\0\0\0\0\0\0\0"]) {
    const caller = await raw(ground);
    caller.send(bytes);
    await caller.untilClosed();
    assert.doesNotMatch(caller.text, /HTTP\/1\.1 200/);
  }
  assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test failed"), 2);
  assert.match((await (await ground.caller()).ask()) ?? "", /200/);
});

test("failed handshakes are logged up to a rate, and the rest is counted", async () => {
  await using ground = await new TlsGround().start();
  for (let index = 0; index < 15; index++) {
    const caller = await raw(ground);
    caller.send("GET / HTTP/1.1\r\n\r\n");
    await caller.untilClosed();
  }
  const logged = ground.loopback.logged.filter((event) => event === "a TLS handshake failed");
  assert.equal(logged.length, 10);
  assert.equal(ground.metrics.value("sallyport_tls_handshakes_total test failed"), 15);
});

test("handshakes under way count as connections, and end when the listener closes", async () => {
  await using ground = await new TlsGround({ limits: { connections: 2 } }).start();
  const [first, second] = [await raw(ground), await raw(ground)];
  await slowly(ground, 2);
  const third = await raw(ground);
  await third.untilClosed();
  assert.equal(ground.loopback.listener.refused, 1);
  await ground.loopback.listener.close(1000);
  await Promise.all([first.untilClosed(), second.untilClosed()]);
});

test("a caller that renegotiates is cut off: its certificate was looked at once", async (t) => {
  if (process.versions["bun"] !== undefined) {
    t.skip("Bun's callers cannot renegotiate, and its servers refuse it");
    return;
  }
  await using ground = await new TlsGround({ options: CLIENTS }).start();
  const caller = await ground.caller({ maxVersion: "TLSv1.2" });
  await caller.ask();
  caller.tls.renegotiate({}, () => undefined);
  await caller.untilClosed();
});

/** Pairs a and b, each for its own name and both for `x.test`. */
function twoPairs(): {
  readonly certificates: readonly unknown[];
  readonly files: Record<string, string>;
  readonly issue: (name: string) => TestCertificate;
} {
  const root = createRoot("names");
  const issue = (name: string): TestCertificate =>
    root.issue({ name, dns: [`${name}.test`, "x.test"] });
  const files: Record<string, string> = {};
  const certificates = ["a", "b"].map((name) => {
    const made = issue(name);
    const pair = { certificate: `${name}.pem`, key: `${name}.key` };
    files[pair.certificate] = made.chainPem;
    files[pair.key] = made.keyPem;
    return pair;
  });
  return { certificates, files, issue };
}

async function resume(
  ground: TlsGround,
  options: ConnectionOptions,
): Promise<{ readonly resumed: boolean }> {
  const first = await ground.caller(options);
  await first.ask();
  const { session } = first;
  first.destroy();
  const before = ground.metrics.value("sallyport_tls_handshakes_total test resumed");
  const second = await ground.caller(session === undefined ? options : { ...options, session });
  await second.ask();
  second.destroy();
  // The server's word counts: Node's callers do not tell.
  const after = ground.metrics.value("sallyport_tls_handshakes_total test resumed");
  return { resumed: after > before };
}

async function raw(ground: TlsGround): Promise<RawPeer> {
  const { port } = ground.loopback.listener.address;
  const socket = connectTcp({ port, host: "127.0.0.1" });
  const peer = new RawPeer(socket);
  await once(socket, "connect");
  return peer;
}

/** Waits until so many handshakes are under way. */
async function slowly(ground: TlsGround, count: number): Promise<void> {
  while (ground.loopback.deadlines.size < count) await new Promise(setImmediate);
}

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import test from "node:test";
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { createRoot, type TestCertificate } from "../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { Loopback } from "./loopback.fixture.ts";
import { serviceTlsSchema } from "./tls-options.ts";
import { UpstreamTls } from "./upstream-tls.ts";

const root = createRoot("root");
const good = root.issue({ name: "service", dns: ["service.test"], ip: ["127.0.0.1"] });
const client = root.issue({ name: "sallyport" });

test("an https: endpoint is reached by TLS, by the name of its host", async () => {
  await using ground = await start({ ...pair(good) }, { ca: "ca.pem" });
  assert.match(await ground.ask(), /^HTTP\/1\.1 200 [^]*hello$/);
  assert.match(await ground.ask(), /^HTTP\/1\.1 200 [^]*hello$/);
  assert.equal(ground.connections.length, 1, "the connection is used again");
  assert.equal(ground.connections[0]?.alpnProtocol, "http/1.1");
  assert.deepEqual(ground.log.lines, []);
});

test("serverName is asked for, and the certificate must be for it", async () => {
  await using ground = await start(pair(good), { ca: "ca.pem", serverName: "service.test" });
  assert.match(await ground.ask(), /^HTTP\/1\.1 200 /);
  assert.equal(ground.names[0], "service.test");
});

test("a certificate that is not good is answered 502 upstream-tls, and the log says what was wrong", async () => {
  const notAfter = new Date(Date.now() - 3_600_000);
  const cases: [why: string, certificate: TestCertificate, options: object, code: RegExp][] = [
    [
      "another authority",
      createRoot("x").issue({ name: "s", ip: ["127.0.0.1"] }),
      {},
      /UNABLE_TO|SELF_SIGNED/,
    ],
    [
      "self-signed",
      createRoot("s", { ip: ["127.0.0.1"], authority: false }),
      {},
      /SELF_SIGNED|UNABLE_TO|INVALID_PURPOSE/,
    ],
    ["expired", root.issue({ name: "s", ip: ["127.0.0.1"], notAfter }), {}, /CERT_HAS_EXPIRED/],
    ["another address", root.issue({ name: "s", ip: ["127.0.0.2"] }), {}, /ALTNAME_INVALID/],
    ["another name", good, { serverName: "other.test" }, /ALTNAME_INVALID/],
    ["a name in the subject only", root.issue({ name: "127.0.0.1" }), {}, /ALTNAME_INVALID/],
  ];
  for (const [why, certificate, options, code] of cases) {
    await using ground = await start(pair(certificate), { ca: "ca.pem", ...options });
    const answer = await ground.ask();
    assert.match(answer, /^HTTP\/1\.1 502 [^]*upstream-tls$/, why);
    const [line = ""] = ground.log.lines;
    assert.match(line, /^warn TLS to a service failed .*"service":"one"/, why);
    assert.match(line, code, why);
    assert.equal(ground.requests, 0, why);
    assert.equal(ground.metrics.value("sallyport_upstream_tls_failures_total one"), 1, why);
  }
});

test("a service that speaks no TLS is answered 502 upstream-tls, one that is not there upstream-unreachable", async () => {
  const plain = createTcpServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("HTTP/1.1 200 OK\r\n\r\n"),
  );
  await using ground = await start(pair(good), { ca: "ca.pem" }, plain);
  assert.match(await ground.ask(), /^HTTP\/1\.1 502 [^]*upstream-tls$/);
  await ground.stop();
  assert.match(await ground.ask(), /^HTTP\/1\.1 502 [^]*upstream-unreachable$/);
});

test("a service may ask for our certificate, and the new one is shown once the files have changed", async () => {
  const asking = { ...pair(good), requestCert: true, rejectUnauthorized: true, ca: root.pem };
  const own = { ca: "ca.pem", certificate: "own.pem", key: "own.key" };
  await using ground = await start(asking, own);
  assert.match(await ground.ask("close"), /^HTTP\/1\.1 200 /);
  const next = root.issue({ name: "renewed" });
  ground.files.set("own.pem", next.chainPem).set("own.key", next.keyPem);
  ground.tls.reload();
  assert.match(await ground.ask("close"), /^HTTP\/1\.1 200 /);
  ground.files.set("own.key", good.keyPem);
  ground.tls.reload();
  assert.match(await ground.ask("close"), /^HTTP\/1\.1 200 /, "a broken pair changes nothing");
  assert.deepEqual(ground.shown, ["sallyport", "renewed", "renewed"]);
  assert.equal(ground.metrics.value("sallyport_upstream_tls_reloads_total one failed"), 1);
});

test("a service that refuses us for want of a certificate is answered 502", async () => {
  const asking = { ...pair(good), requestCert: true, rejectUnauthorized: true, ca: root.pem };
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    await using ground = await start({ ...asking, maxVersion }, { ca: "ca.pem" });
    assert.match(await ground.ask(), /^HTTP\/1\.1 502 [^]*upstream-/, maxVersion);
    assert.equal(ground.requests, 0);
  }
});

test("insecureSkipVerify takes any certificate, and says so", async () => {
  const other = createRoot("x").issue({ name: "s" });
  await using ground = await start(pair(other), { insecureSkipVerify: true });
  assert.match(await ground.ask(), /^HTTP\/1\.1 200 /);
  assert.match(ground.log.lines[0] ?? "", /^warn insecureSkipVerify: /);
});

test("without insecureSkipVerify and ca, the public web's authorities count and ours does not", async () => {
  await using ground = await start(pair(good), {});
  assert.match(await ground.ask(), /^HTTP\/1\.1 502 [^]*upstream-tls$/);
});

function pair({ chainPem, keyPem }: TestCertificate): TlsOptions {
  return { cert: chainPem, key: keyPem, ALPNProtocols: ["h2", "http/1.1"] };
}

async function start(serverOptions: TlsOptions, options: object, instead?: Server) {
  const connections: TLSSocket[] = [];
  const names: unknown[] = [];
  const shown: unknown[] = [];
  let requests = 0;
  const server =
    instead ??
    createServer(serverOptions, (socket: TLSSocket) => {
      connections.push(socket);
      names.push(Reflect.get(socket, "servername"));
      shown.push(socket.getPeerCertificate().subject?.CN);
      socket.on("error", () => {});
      socket.on("data", () => {
        requests += 1;
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
      });
    });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const files = new Map([
    ["ca.pem", root.pem],
    ["own.pem", client.chainPem],
    ["own.key", client.keyPem],
  ]);
  const log = recordedLog();
  const metrics = recordedMetrics();
  const tls = new UpstreamTls("one", serviceTlsSchema.parse(options), {
    clock: new ManualClock(0),
    timers: new ManualTimers(),
    log,
    metrics,
    readFile: (file) => Buffer.from(files.get(file) ?? ""),
  });
  const loopback = await new Loopback({
    service: { endpoints: [`https://127.0.0.1:${port}`] },
    upstream: { openSocket: (endpoint) => tls.open(endpoint) },
  }).start();
  const stop = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    for (const socket of connections) socket.destroy();
    await closed;
  };
  return {
    tls,
    files,
    log,
    metrics,
    connections,
    names,
    shown,
    stop,
    get requests() {
      return requests;
    },
    /** With `close`, the connection to the service is not used again. */
    async ask(then?: "close"): Promise<string> {
      const caller = await loopback.caller();
      caller.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      await caller.untilEnd();
      if (then === "close") for (const socket of connections) socket.destroy();
      return caller.text;
    },
    async [Symbol.asyncDispose]() {
      tls.close();
      await loopback[Symbol.asyncDispose]();
      if (server.listening) await stop();
    },
  };
}

/** `h2:` endpoints: HTTP/2 by TLS, where ALPN has chosen it and nowhere else (RFC 9113 section 3.2). */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createServer, type Server } from "node:tls";
import { createRoot } from "../../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { Loopback } from "../loopback.fixture.ts";
import { serviceTlsSchema } from "../tls-options.ts";
import { UpstreamTls } from "../upstream-tls.ts";

const root = createRoot("root");
const good = root.issue({ name: "service", ip: ["127.0.0.1"] });
const OPTIONS = { cert: good.chainPem, key: good.keyPem };

test("an h2: endpoint is reached by TLS and ALPN", async () => {
  const server = createSecureServer(OPTIONS);
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.respond({ "x-scheme": headers[":scheme"] ?? "", "content-length": 2 });
    stream.end("ok");
  });
  await using ground = await start(server);
  for (let asked = 0; asked < 2; asked += 1) {
    assert.match(await ground.ask("ok"), /^HTTP\/1.1 200 [^]*x-scheme: https\r\n/);
  }
  assert.deepEqual(ground.log.lines, []);
});

test("a service that chooses something else, or knows nothing of ALPN, is refused loudly", async (t) => {
  const cases: [what: string, options: object][] = [
    ["http/1.1", { ALPNProtocols: ["http/1.1"] }],
    ["no ALPN", {}],
  ];
  for (const [what, options] of cases) {
    await t.test(what, async () => {
      let heard = 0;
      const server = createServer({ ...OPTIONS, ...options }, (socket) => {
        socket.on("error", () => {});
        socket.on("data", () => (heard += 1));
      });
      await using ground = await start(server);
      assert.match(await ground.ask("\r\n\r\n"), /^HTTP\/1.1 502 /);
      assert.equal((await ground.proxy.outcome(0)).end, "upstream-tls");
      assert.match(ground.log.lines[0] ?? "", /^warn TLS to a service failed /);
      assert.equal(ground.metrics.value("sallyport_upstream_tls_failures_total one"), 1);
      assert.equal(heard, 0, "nothing was sent");
    });
  }
});

test("an h2: endpoint whose certificate is not good is refused", async () => {
  const other = createRoot("x").issue({ name: "s", ip: ["127.0.0.1"] });
  const server = createSecureServer({ cert: other.chainPem, key: other.keyPem });
  await using ground = await start(server);
  assert.match(await ground.ask("\r\n\r\n"), /^HTTP\/1.1 502 /);
  assert.equal((await ground.proxy.outcome(0)).end, "upstream-tls");
});

async function start(server: Server | Http2SecureServer) {
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const log = recordedLog();
  const metrics = recordedMetrics();
  const tls = new UpstreamTls("one", serviceTlsSchema.parse({ ca: "ca.pem" }), {
    clock: new ManualClock(0),
    timers: new ManualTimers(),
    log,
    metrics,
    readFile: () => Buffer.from(root.pem),
  });
  const proxy = await new Loopback({
    service: { endpoints: [`h2://127.0.0.1:${port}`] },
    upstream: { openSocket: (endpoint) => tls.open(endpoint) },
  }).start();
  return {
    proxy,
    log,
    metrics,
    async ask(until: string): Promise<string> {
      const caller = await proxy.caller();
      caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      return caller.until(until);
    },
    async [Symbol.asyncDispose]() {
      tls.close();
      await proxy[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

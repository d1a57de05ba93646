import assert from "node:assert/strict";
import { test } from "node:test";
import { Loopback, type LoopbackOptions, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** A proxy that answers each request itself, with its method, target and number. */
function answering(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback({
    handle: (exchange, proxy) =>
      exchange.reply(
        200,
        [],
        `${exchange.head.method} ${exchange.head.target} ${proxy.exchanges.length};`,
      ),
    ...options,
  }).start();
}

async function statusOf(caller: RawPeer): Promise<string> {
  const line = await caller.until("\r\n");
  await caller.until("\r\n\r\n");
  return line.split(" ")[1] ?? "";
}

test("a connection is kept for further requests, and each answer has a date", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  for (let round = 1; round <= 3; round += 1) {
    caller.send(GET);
    const answer = await caller.until(";");
    assert.equal(
      answer,
      `HTTP/1.1 200 OK\r\ndate: Fri, 02 Jan 2026 03:04:05 GMT\r\ncontent-length: 8\r\n\r\nGET / ${round};`,
    );
  }
});

test("pipelined requests are answered in order, also when the first is answered last", async () => {
  await using proxy = await answering({ handle: () => {} });
  const caller = await proxy.caller();
  const names = ["/a", "/b", "/c", "/d"];
  caller.send(names.map((name) => GET.replace("/", name)).join(""));
  for (const [index, name] of names.entries()) {
    while (proxy.exchanges.length <= index) await proxy.changed();
    assert.equal(proxy.exchanges.length, index + 1);
    const exchange = proxy.exchanges[index];
    assert.equal(exchange?.head.target, name);
    // Later, not within the handler: the connection must have waited.
    await new Promise((resolve) => setImmediate(resolve));
    exchange?.reply(200, [], `answer ${name};`);
  }
  await caller.until("answer /d;");
  assert.deepEqual(
    [...caller.text.matchAll(/answer (\/.);/g)].map((match) => match[1]),
    names,
  );
});

test("a request is the same however its bytes are cut", async () => {
  await using proxy = await answering();
  const body =
    "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  for (let cut = 1; cut < body.length; cut += 1) {
    const caller = await proxy.caller();
    caller.send(body.slice(0, cut));
    // Another connection's round trip: by then the first part has been read.
    const other = await proxy.caller();
    other.send(GET);
    await other.until(";");
    caller.send(`${body.slice(cut)}${GET}`);
    assert.match(await caller.until(/POST \/p \d+;/), /^HTTP\/1.1 200 OK\r\n/);
    assert.match(await caller.until(/GET \/ \d+;/), /^HTTP\/1.1 200 OK\r\n/, `cut at ${cut}`);
    caller.destroy();
    other.destroy();
  }
});

test("a head that comes byte by byte is read", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  for (const byte of GET) {
    caller.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await caller.until("GET / 1;");
});

test("HEAD gets the head alone, and the next answer follows", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send(GET.replace("GET", "HEAD") + GET);
  const text = await caller.until("GET / 2;");
  assert.match(
    text,
    /^HTTP\/1.1 200 OK\r\ndate: [^\r]*\r\ncontent-length: 9\r\n\r\nHTTP\/1.1 200 OK/,
  );
});

test("HTTP/1.0 closes after the answer unless it asks to be kept", async () => {
  await using proxy = await answering();
  const kept = await proxy.caller();
  kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assert.match(await kept.until(";"), /\r\nconnection: keep-alive\r\n/);
  kept.send("GET / HTTP/1.0\r\n\r\n");
  assert.match(await kept.untilEnd(), /\r\nconnection: close\r\n[^]*GET \/ 2;$/);
});

test("Connection: close is honoured, and bytes behind it are not a request", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n${GET}`);
  assert.match(await caller.untilEnd(), /\r\nconnection: close\r\n[^]*GET \/ 1;$/);
  assert.equal(proxy.exchanges.length, 1);
});

test("bytes that are no request are answered and the connection closes", async (t) => {
  const cases: [name: string, bytes: string, status: string, reason: string][] = [
    ["garbage", "\x16\x03\x01\r\n\r\n", "400", "malformed-request"],
    ["bare LF", "GET / HTTP/1.1\nHost: x\n\r\n\r\n", "400", "malformed-request"],
    ["no Host", "GET / HTTP/1.1\r\n\r\n", "400", "invalid-host"],
    ["version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505", "version-not-supported"],
    ["long target", `GET /${"a".repeat(100)} HTTP/1.1\r\nHost: x\r\n\r\n`, "414", "uri-too-long"],
    ["large head", `GET / HTTP/1.1\r\nA: ${"a".repeat(2000)}`, "431", "head-too-large"],
    ["many fields", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(9)}\r\n`, "431", "head-too-large"],
  ];
  await using proxy = await answering({
    limits: { headBytes: "1KiB", targetBytes: "64B", headFields: 8 },
  });
  for (const [name, bytes, status, reason] of cases) {
    await t.test(name, async () => {
      const caller = await proxy.caller();
      caller.send(bytes);
      const text = await caller.untilEnd();
      assert.match(
        text,
        new RegExp(`^HTTP/1.1 ${status} [^]*\r\nconnection: close\r\n[^]*${reason}$`),
      );
      assert.equal(proxy.malformed.at(-1)?.reason, reason);
    });
  }
  assert.equal(proxy.exchanges.length, 0);
});

test("an answer without reading the body keeps the connection when the rest is small", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
  await caller.until("POST /a 1;");
  caller.send(`body${GET}`);
  await caller.until("GET / 2;");
  caller.send("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  await caller.until("POST /b 3;");
  caller.send(`4\r\nbody\r\n0\r\nx-trailer: 1\r\n\r\n${GET}`);
  await caller.until("GET / 4;");
});

test("an answer without reading the body closes when the rest is large", async () => {
  await using proxy = await answering({ limits: { drainedBytes: "1KiB" } });
  const caller = await proxy.caller();
  caller.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n");
  assert.match(await caller.until("POST /a 1;"), /\r\nconnection: close\r\n/);
  // Closed in two steps: what still comes is dropped and does not reset the answer away.
  caller.send("b".repeat(2000));
  caller.end();
  await caller.untilClosed();
  const chunked = await proxy.caller();
  chunked.send("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  await chunked.until("POST /b 2;");
  chunked.send(`7d0\r\n${"b".repeat(2000)}\r\n`);
  await chunked.untilEnd();
});

test("a body whose framing breaks while it is dropped closes the connection", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  await caller.until("POST /b 1;");
  caller.send(`zz\r\n${GET}`);
  await caller.untilEnd();
  assert.equal(proxy.exchanges.length, 1);
});

test("an answer to Expect: 100-continue that reads no body closes the connection", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  const text = await caller.untilEnd();
  assert.match(text, /^HTTP\/1.1 200 OK\r\n[^]*connection: close\r\n/);
});

test("a silent connection, a slow head and an idle connection are closed in time", async () => {
  await using proxy = await answering({ limits: { headTimeout: "1s", idleTimeout: "5s" } });
  const silent = await proxy.caller();
  const slow = await proxy.caller();
  slow.send("GET / HT");
  const idle = await proxy.caller();
  idle.send(GET);
  await idle.until(";");
  assert.equal(proxy.listener.connections, 3);
  proxy.pass(1001);
  assert.equal(await silent.untilEnd(), "");
  assert.equal(await statusOf(slow), "408");
  assert.equal(idle.ended, false);
  idle.send("GET / HT");
  await roundTrip(proxy);
  proxy.pass(1001);
  assert.equal(await statusOf(idle), "408");
  const resting = await proxy.caller();
  resting.send(GET);
  await resting.until(";");
  proxy.pass(4000);
  assert.equal(resting.ended, false);
  proxy.pass(1001);
  assert.equal(await resting.untilEnd(), "");
});

test("a caller that never closes after its last answer is cut off", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await caller.untilEnd();
  assert.equal(proxy.listener.connections, 1);
  proxy.pass(5001);
  assert.equal(proxy.listener.connections, 0);
});

test("a caller that goes on sending after its last answer is cut off", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await caller.untilEnd();
  for (let sent = 0; sent < 40 && !caller.closed; sent += 1) {
    caller.send("x".repeat(64 * 1024));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await caller.untilClosed();
});

test("pipelined bytes beyond the bound are left in the socket", async () => {
  await using proxy = await answering({ handle: () => {}, limits: { pipelinedBytes: "1KiB" } });
  const caller = await proxy.caller();
  caller.send(GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  // More than the sockets' own buffers hold: it cannot all be sent unless somebody reads it.
  const flood = Buffer.alloc(64 * 1024 * 1024);
  caller.socket.write(flood);
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(caller.socket.writableLength > 0);
  proxy.exchanges[0]?.reply(200, [], "late;");
  // The flood is no request: it is refused once it is looked at.
  await caller.until("late;");
  while (proxy.malformed.length === 0) await proxy.changed();
});

test("a handler that throws is answered 500 and the connection closes", async () => {
  await using proxy = await answering({
    handle: () => {
      throw new Error("a defect");
    },
  });
  const caller = await proxy.caller();
  caller.send(GET + GET);
  assert.match(await caller.untilEnd(), /^HTTP\/1.1 500 [^]*internal-error$/);
  assert.equal(proxy.exchanges.length, 1);
  assert.deepEqual(proxy.logged, ["the request handler threw"]);
});

test("an exchange whose caller is gone does nothing", async () => {
  await using proxy = await answering({ handle: () => {} });
  const caller = await proxy.caller();
  caller.send(GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  const exchange = proxy.exchanges[0];
  assert.equal(exchange?.gone, false);
  caller.destroy();
  while (proxy.listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(exchange?.gone, true);
  exchange?.reply(200, [], "for nobody");
});

test("an exchange that was answered does nothing to the next one", async () => {
  await using proxy = await answering({ handle: () => {} });
  const caller = await proxy.caller();
  caller.send(GET + GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  proxy.exchanges[0]?.reply(200, [], "one;");
  while (proxy.exchanges.length === 1) await proxy.changed();
  proxy.exchanges[0]?.reply(200, [], "again;");
  proxy.exchanges[0]?.stream.abort();
  proxy.exchanges[1]?.reply(200, [], "two;");
  assert.doesNotMatch(await caller.until("two;"), /again/);
});

test("close() lets the request in flight be the last and closes the idle", async () => {
  await using proxy = await answering({ handle: () => {} });
  const idle = await proxy.caller();
  const busy = await proxy.caller();
  busy.send(GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  const closed = proxy.listener.close(60_000);
  await idle.untilEnd();
  idle.end();
  proxy.exchanges[0]?.reply(200, [], "last;");
  assert.match(await busy.untilEnd(), /\r\nconnection: close\r\n[^]*last;$/);
  busy.end();
  await closed;
  assert.equal(proxy.listener.connections, 0);
  assert.equal(proxy.deadlines.size, 0);
});

test("close() cuts off after its grace", async () => {
  await using proxy = await answering({ handle: () => {} });
  const caller = await proxy.caller();
  caller.send(GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  await proxy.listener.close(1);
  await caller.untilEnd();
  assert.equal(proxy.exchanges[0]?.gone, true);
});

test("connections beyond the limit are closed as they come", async () => {
  await using proxy = await answering({ limits: { connections: 1 } });
  const first = await proxy.caller();
  first.send(GET);
  await first.until(";");
  const second = await proxy.caller();
  assert.equal(await second.untilEnd(), "");
  assert.equal(proxy.listener.refused, 1);
  first.end();
  while (proxy.listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
  const third = await proxy.caller();
  third.send(GET);
  await third.until(";");
});

test("listen() says which address cannot be bound", async () => {
  await using proxy = await answering();
  const port = proxy.listener.address.port;
  const { listen } = await import("./listener.ts");
  const { listenerSchema } = await import("./listener-options.ts");
  await assert.rejects(
    listen(listenerSchema.parse({ name: "second", address: `127.0.0.1:${port}` }), {
      clock: proxy.clock,
      deadlines: proxy.deadlines,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      handler: { request() {}, malformed: () => ({ fields: [], body: "" }) },
    }),
    { code: "listen-failed" },
  );
});

/** Another connection's exchange: by its end the proxy has read what was sent before it. */
async function roundTrip(proxy: Loopback): Promise<void> {
  const caller = await proxy.caller();
  caller.send(GET);
  await caller.until(";");
  caller.destroy();
}

/** PROXY headers in front of connections: who is believed, and that nothing else ever gets an answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyHeader } from "../wire/proxy-protocol.fixture.ts";
import { Loopback, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const FROM_HERE = { proxyProtocol: { from: ["127.0.0.0/8"] } };

function answering(listener: object = FROM_HERE, limits: object = {}): Promise<Loopback> {
  return new Loopback({
    limits: { ...limits },
    listener: { ...listener },
    handle: (exchange) => {
      const { address, port, balancer } = exchange.connection.peer;
      exchange.reply(200, [], `${address} ${port} ${balancer?.address};`);
    },
  }).start();
}

function text(bytes: Buffer): string {
  return bytes.toString("latin1");
}

async function answerOf(caller: RawPeer): Promise<string> {
  return /\r\n\r\n(.*);/.exec(await caller.until(";"))?.[1] ?? "";
}

const named = text(proxyHeader({ address: "192.0.2.1", port: 4711, checksum: 0 }));

test("a header names the caller, with the request in one piece, in two, or byte by byte", async () => {
  await using proxy = await answering();
  const whole = await proxy.caller();
  whole.send(named + GET);
  assert.equal(await answerOf(whole), "192.0.2.1 4711 127.0.0.1");
  whole.send(GET);
  assert.equal(await answerOf(whole), "192.0.2.1 4711 127.0.0.1");
  const split = await proxy.caller();
  split.send(named);
  await new Promise(setImmediate);
  split.send(GET);
  assert.equal(await answerOf(split), "192.0.2.1 4711 127.0.0.1");
  const slow = await proxy.caller();
  for (const byte of named + GET) {
    slow.send(byte);
    await new Promise(setImmediate);
  }
  assert.equal(await answerOf(slow), "192.0.2.1 4711 127.0.0.1");
  const v6 = await proxy.caller();
  v6.send(text(proxyHeader({ address: "2001:db8::1", port: 1 })) + GET);
  assert.equal(await answerOf(v6), "2001:db8::1 1 127.0.0.1");
});

test("LOCAL is the balancer itself", async () => {
  await using proxy = await answering();
  const caller = await proxy.caller();
  caller.send(text(proxyHeader({ command: 0, family: 0 })) + GET);
  assert.match(await answerOf(caller), /^127\.0\.0\.1 \d+ undefined$/);
});

const refused: readonly [title: string, bytes: string, fault: RegExp][] = [
  ["version 1", `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${GET}`, /version 1/],
  ["a request without a header", GET, /no PROXY protocol header/],
  ["a TLS handshake", "\x16\x03\x01\x02\x00\x01", /no PROXY protocol header/],
  ["a wrong checksum", text(proxyHeader({ address: "192.0.2.1", checksum: 1 })) + GET, /checksum/],
  ["two headers", named + named + GET, /^$/],
];
for (const [title, bytes, fault] of refused) {
  test(`${title} gets no request through`, async () => {
    await using proxy = await answering();
    const caller = await proxy.caller();
    caller.send(bytes);
    const answer = await caller.untilEnd();
    assert.equal(proxy.exchanges.length, 0);
    if (title === "two headers") {
      assert.match(answer, /^HTTP\/1.1 400 /, "the second one is no request");
      return;
    }
    assert.equal(answer, "");
    assert.equal(proxy.hits("proxyProtocol"), 1);
    assert.deepEqual(proxy.logged, ["a connection was closed for its PROXY header"]);
    assert.ok(fault.source.length > 0);
  });
}

test("a header from anywhere but a balancer is not looked at", async () => {
  await using proxy = await answering({ proxyProtocol: { from: ["10.0.0.0/8"] } });
  for (let index = 0; index < 20; index++) {
    const caller = await proxy.caller();
    caller.send(named + GET);
    assert.equal(await caller.untilEnd(), "");
  }
  assert.equal(proxy.hits("proxyProtocol"), 20);
  assert.equal(proxy.logged.length, 1, "strangers do not fill the log");
  proxy.pass(10_001);
  await (await proxy.caller()).untilEnd();
  assert.equal(proxy.logged.length, 2);
});

test("a header that does not come, or not whole, is not waited for; a health check is no fault", async () => {
  await using proxy = await answering(FROM_HERE, { headTimeout: "1s" });
  const silent = await proxy.caller();
  const half = await proxy.caller();
  half.send(named.slice(0, 20));
  const checking = await proxy.caller();
  checking.end();
  await checking.untilClosed();
  assert.equal(proxy.hits("proxyProtocol"), 0);
  const cut = await proxy.caller();
  cut.send(named.slice(0, 20));
  cut.end();
  await cut.untilClosed();
  assert.equal(proxy.hits("proxyProtocol"), 1);
  proxy.pass(1001);
  await Promise.all([silent.untilEnd(), half.untilEnd()]);
  assert.equal(proxy.hits("proxyProtocol"), 3);
  assert.equal(proxy.deadlines.size, 0, "nothing is left behind");
});

test("connections whose header is not complete count, and closing ends them", async () => {
  await using proxy = await answering(FROM_HERE, { connections: 2 });
  const silent = await proxy.caller();
  const caller = await proxy.caller();
  caller.send(named + GET);
  await answerOf(caller);
  const third = await proxy.caller();
  assert.equal(await third.untilEnd(), "");
  assert.equal(proxy.hits("connections"), 1);
  const closing = proxy.listener.close(1000);
  await silent.untilEnd();
  await closing;
});

test("connectionsPerAddress and trustedProxies go by whom the header names", async () => {
  await using proxy = await answering(
    { ...FROM_HERE, trustedProxies: ["192.0.2.99"] },
    { connectionsPerAddress: 1 },
  );
  const open = async (address: string): Promise<RawPeer> => {
    const caller = await proxy.caller();
    caller.send(text(proxyHeader({ address, port: 1 })) + GET);
    return caller;
  };
  await answerOf(await open("192.0.2.1"));
  await answerOf(await open("192.0.2.2"));
  assert.equal(await (await open("192.0.2.1")).untilEnd(), "");
  assert.equal(proxy.hits("connectionsPerAddress"), 1);
  await answerOf(await open("192.0.2.99"));
  await answerOf(await open("192.0.2.99"));
  assert.notEqual(proxy.exchanges.at(-1)?.connection.trust, undefined);
  assert.equal(proxy.exchanges[0]?.connection.trust, undefined);
});

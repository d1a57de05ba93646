/** Each limit of a listener: what it does to who breaks it, that it is counted, and whom it spares. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAddressCounts } from "./address-counts.ts";
import { Loopback, type LoopbackOptions, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
/** More than the sockets' own buffers on one machine hold. */
const LARGE = 64 * 1024 * 1024;

function answering(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback({ handle: (exchange) => exchange.reply(200, [], ";"), ...options }).start();
}

async function statusOf(caller: RawPeer): Promise<string> {
  return (await caller.until("\r\n")).split(" ")[1] ?? "";
}

/** By then what was sent before on other connections has been read. */
async function roundTrip(proxy: Loopback): Promise<void> {
  const caller = await proxy.caller();
  caller.send(GET);
  await caller.until(";");
  caller.destroy();
}

test("headTimeout counts silent connections and slow heads, not those that rest", async () => {
  await using proxy = await answering({ limits: { headTimeout: "1s", idleTimeout: "1s" } });
  const resting = await proxy.caller();
  resting.send(GET);
  await resting.until(";");
  const silent = await proxy.caller();
  const slow = await proxy.caller();
  slow.send("GET / HT");
  await roundTrip(proxy);
  proxy.pass(1001);
  assert.equal(await silent.untilEnd(), "");
  assert.equal(await statusOf(slow), "408");
  await resting.untilEnd();
  assert.equal(proxy.hits("headTimeout"), 2);
});

test("headBytes and targetBytes count heads that are too large", async () => {
  await using proxy = await answering({ limits: { headBytes: "1KiB", targetBytes: "64B" } });
  const cases: readonly [head: string, status: string][] = [
    [`GET / HTTP/1.1\r\nHost: x\r\nx: ${"y".repeat(2000)}\r\n\r\n`, "431"],
    [`GET / HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(120)}\r\n`, "431"],
    [`GET /${"y".repeat(100)} HTTP/1.1\r\nHost: x\r\n\r\n`, "414"],
  ];
  for (const [head, status] of cases) {
    const caller = await proxy.caller();
    caller.send(head);
    assert.equal(await statusOf(caller), status);
  }
  assert.deepEqual([proxy.hits("headBytes"), proxy.hits("targetBytes")], [2, 1]);
});

test("bodyBytes counts bodies above it, announced and not", async () => {
  await using proxy = await new Loopback({ limits: { bodyBytes: "10B" } }).start();
  const announced = await proxy.caller();
  announced.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  assert.equal(await statusOf(announced), "413");
  const chunked = await proxy.caller();
  chunked.send(
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n",
  );
  assert.equal(await statusOf(chunked), "413");
  assert.equal(proxy.hits("bodyBytes"), 2);
});

test("bodyTimeout counts slow senders of a body", async () => {
  await using proxy = await new Loopback({ limits: { bodyTimeout: "1s" } }).start();
  const caller = await proxy.caller();
  caller.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01");
  const service = await proxy.service.accepted();
  await service.until("01");
  proxy.pass(1001);
  assert.equal(await statusOf(caller), "408");
  assert.equal(proxy.hits("bodyTimeout"), 1);
});

/** A route that would wait for ever. */
const PATIENT = { idleTimeoutMs: 3_600_000, totalTimeoutMs: 3_600_000 };

/** A caller that does not read its large answer, once the proxy has stopped reading because of it. */
async function unread(proxy: Loopback): Promise<RawPeer> {
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  caller.socket.pause();
  service.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`);
  service.socket.write(Buffer.alloc(LARGE, "x"));
  await stalled(() => service.socket.writableLength);
  return caller;
}

test("readTimeout cuts off a caller that does not read its answer, whatever the route allows", async () => {
  await using proxy = await new Loopback({
    limits: { readTimeout: "20s" },
    request: PATIENT,
  }).start();
  await unread(proxy);
  proxy.pass(19_000);
  assert.equal(proxy.outcomes.length, 0);
  proxy.pass(1101);
  assert.equal((await proxy.outcome(0)).end, "caller-gone");
  assert.equal(proxy.hits("readTimeout"), 1);
});

test("readTimeout spares a caller that makes room in time", async () => {
  await using proxy = await new Loopback({
    limits: { readTimeout: "20s" },
    request: PATIENT,
  }).start();
  const caller = await unread(proxy);
  proxy.pass(19_000);
  caller.socket.removeAllListeners("data");
  caller.socket.on("data", () => undefined);
  caller.socket.resume();
  assert.equal((await proxy.outcome(0)).end, "complete");
  proxy.pass(19_000);
  assert.equal(proxy.hits("readTimeout"), 0);
});

test("readTimeout bounds how long the last of an answer may wait to be read", async () => {
  await using proxy = await new Loopback({
    limits: { readTimeout: "20s", idleTimeout: "1h" },
    handle: (exchange) => exchange.reply(200, [], "x".repeat(LARGE), { close: true }),
  }).start();
  const caller = await proxy.caller();
  caller.socket.pause();
  caller.send(GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  proxy.pass(19_000);
  assert.equal(proxy.listener.connections, 1);
  proxy.pass(1101);
  while (proxy.listener.connections > 0) await new Promise(setImmediate);
  assert.equal(proxy.hits("readTimeout"), 1);
});

test("connections counts those beyond it", async () => {
  await using proxy = await answering({ limits: { connections: 1 } });
  const first = await proxy.caller();
  first.send(GET);
  await first.until(";");
  const second = await proxy.caller();
  assert.equal(await second.untilEnd(), "");
  assert.equal(proxy.hits("connections"), 1);
});

test("connectionsPerAddress closes those beyond it, and a connection that ends leaves its place", async () => {
  await using proxy = await answering({ limits: { connectionsPerAddress: 2 } });
  for (let round = 1; round <= 20; round++) {
    const callers = [await proxy.caller(), await proxy.caller()];
    for (const caller of callers) {
      caller.send(GET);
      await caller.until(";");
    }
    const third = await proxy.caller();
    assert.equal(await third.untilEnd(), "");
    assert.equal(proxy.hits("connectionsPerAddress"), round);
    callers[0]?.destroy();
    callers[1]?.end();
    while (proxy.listener.connections > 0) await new Promise(setImmediate);
  }
});

test("connectionsPerAddress does not count trusted proxies: their callers share the address", async () => {
  await using proxy = await answering({
    limits: { connectionsPerAddress: 1 },
    listener: { trustedProxies: ["127.0.0.0/8"] },
  });
  for (let index = 0; index < 5; index++) {
    const caller = await proxy.caller();
    caller.send(GET);
    await caller.until(";");
  }
  assert.equal(proxy.listener.connections, 5);
});

test("createAddressCounts() counts IPv6 by the /64 and forgets who is gone", () => {
  const counts = createAddressCounts(1);
  assert.ok(counts.take("2001:db8::1"));
  assert.equal(counts.take("2001:db8::2"), false);
  assert.ok(counts.take("2001:db8:0:1::1"));
  counts.release("2001:db8::1");
  assert.ok(counts.take("2001:db8::2"));
});

/** Settles when `amount` has stood still, above zero, for many turns of the event loop. */
async function stalled(amount: () => number): Promise<void> {
  let last = -1;
  let same = 0;
  while (same < 200) {
    await new Promise(setImmediate);
    const now = amount();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
  }
}

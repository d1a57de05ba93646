/** What is sent again, and what never is: judged by what reaches services that the test plays. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { Loopback, type LoopbackOptions, ManualService, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const PUT = "PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const POST = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
const ANSWER = /HTTP\/1.1 \d{3} [^]*?\r\n\r\n[^]+$/;

function started(options: LoopbackOptions): Promise<Loopback> {
  return new Loopback(options).start();
}

/** A caller that has sent `text`, and the service's end of the connection that it went to. */
async function sent(
  proxy: Loopback,
  text: string,
): Promise<{ readonly caller: RawPeer; readonly service: RawPeer }> {
  const caller = await proxy.caller();
  caller.send(text);
  const service = await proxy.service.accepted();
  await service.until(text.endsWith("hello") ? "hello" : "\r\n\r\n");
  return { caller, service };
}

/** Lets the back-off pass: whatever waits runs as soon as something does. */
async function passBackoff(proxy: Loopback): Promise<void> {
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  proxy.timers.runAll();
}

test("a request that was reset before a byte of an answer is sent again, with its body", async (t) => {
  for (const [name, request] of [
    ["GET", GET],
    ["PUT", PUT],
    [
      "PUT, chunked",
      "PUT /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
  ] as const) {
    await t.test(name, async () => {
      await using proxy = await started({ service: { retries: {} } });
      const caller = await proxy.caller();
      caller.send(request);
      const first = await proxy.service.accepted();
      await first.until(name === "GET" ? "\r\n\r\n" : name === "PUT" ? "hello" : "0\r\n\r\n");
      first.socket.resetAndDestroy();
      await passBackoff(proxy);
      const second = await proxy.service.accepted();
      await second.until(name === "GET" ? "\r\n\r\n" : name === "PUT" ? "hello" : "0\r\n\r\n");
      assert.equal(second.text, first.text);
      second.send(OK);
      assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
      const outcome = await proxy.outcome(0);
      assert.deepEqual([outcome.end, outcome.requestBytes], ["complete", name === "GET" ? 0 : 5]);
    });
  }
});

test("a large body is sent again as it was, as often as it takes", async () => {
  await using proxy = await started({ service: { retries: { attempts: 2 } } });
  const caller = await proxy.caller();
  const body = "0123456789".repeat(2000);
  // By itself, so that it comes in pieces of their own, whose memory is given back once they are sent.
  caller.send(`PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  const first = await proxy.service.accepted();
  caller.send(body);
  await first.until(body);
  first.socket.resetAndDestroy();
  for (let attempt = 1; attempt <= 2; attempt++) {
    await passBackoff(proxy);
    const next = await proxy.service.accepted();
    await next.until(body);
    assert.equal(next.text, first.text);
    if (attempt === 1) next.socket.resetAndDestroy();
    else next.send(OK);
  }
  assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
});

test("what may have been acted on is not sent again", async (t) => {
  const retries = { on: ["connect", "reset", "timeout", 502, 503, 504], bodyBytes: "4B" };
  const cases: [
    name: string,
    request: string,
    does: (service: RawPeer, proxy: Loopback) => void,
    status: number,
  ][] = [
    ["POST, reset", POST, (service) => service.socket.resetAndDestroy(), 502],
    ["POST, closed", POST, (service) => service.end(), 502],
    ["POST, no answer", POST, (_service, proxy) => proxy.pass(2001), 504],
    ["POST, 503", POST, (service) => service.send(BUSY), 503],
    ["PATCH without a body", GET.replace("GET", "PATCH"), (service) => service.end(), 502],
    ["PUT, body larger than is kept", PUT, (service) => service.end(), 502],
    ["GET, answer begun", GET, (service) => service.socket.end("HTTP/1.1 2"), 502],
    ["GET, garbage", GET, (service) => service.send("SSH-2.0-x\r\n\r\n"), 502],
    [
      "GET, a status that is not listed",
      GET,
      (service) => service.send(BUSY.replace("503", "500")),
      500,
    ],
  ];
  for (const [name, request, does, status] of cases) {
    await t.test(name, async () => {
      await using proxy = await started({ service: { retries } });
      const { caller, service } = await sent(proxy, request);
      does(service, proxy);
      assert.match(await caller.until(ANSWER), new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal(proxy.service.connections.length, 1);
      assert.deepEqual(proxy.timers.delays, []);
    });
  }
});

test("without retries a reset is not sent again, whatever the method", async () => {
  await using proxy = await started({});
  const { caller, service } = await sent(proxy, GET);
  service.end();
  assert.match(await caller.until(ANSWER), /^HTTP\/1.1 502 /);
  assert.equal(proxy.service.connections.length, 1);
});

test("a body that is still coming when its attempt fails is sent whole with the next one", async () => {
  await using proxy = await started({ service: { retries: {} } });
  const caller = await proxy.caller();
  caller.send("PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  const first = await proxy.service.accepted();
  await first.until("abc");
  first.socket.resetAndDestroy();
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  caller.send("def");
  proxy.timers.runAll();
  const second = await proxy.service.accepted();
  await second.until("abcdef");
  caller.send("ghi");
  await second.until("ghi");
  second.send(OK);
  assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
  assert.equal((await proxy.outcome(0)).requestBytes, 9);
});

test("a listed status is asked again, on the same connection, and shown when attempts are spent", async () => {
  await using proxy = await started({ service: { retries: { attempts: 2 } } });
  const { caller, service } = await sent(proxy, GET);
  for (const _ of [1, 2]) {
    service.send(BUSY);
    await passBackoff(proxy);
    await service.until("\r\n\r\n");
  }
  service.send(BUSY);
  assert.match(await caller.until("busy"), /^HTTP\/1.1 503 /);
  assert.equal(proxy.service.connections.length, 1);
  assert.equal((await proxy.outcome(0)).end, "complete");
});

test("a retry goes to another endpoint where there is one", async () => {
  await using one = new ManualService();
  await using two = new ManualService();
  await one.listen();
  await two.listen();
  await using proxy = await started({
    endpoints: [one.port, two.port],
    service: { retries: {} },
  });
  const caller = await proxy.caller();
  caller.send(GET);
  const first = await one.accepted();
  await first.until("\r\n\r\n");
  first.send(BUSY);
  await passBackoff(proxy);
  const second = await two.accepted();
  await second.until("\r\n\r\n");
  second.send(OK);
  assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
  assert.equal((await proxy.outcome(0)).upstream, `127.0.0.1:${two.port}`);
});

test("a time without an answer is tried again where that is listed", async () => {
  await using proxy = await started({ service: { retries: { on: ["timeout"] } } });
  const { caller, service } = await sent(proxy, GET);
  proxy.pass(2001);
  await service.untilEnd();
  await passBackoff(proxy);
  const second = await proxy.service.accepted();
  await second.until("\r\n\r\n");
  second.send(OK);
  assert.match(await caller.until("ok"), /^HTTP\/1.1 200 /);
});

test("connecting is tried again after every endpoint refused, as often as retries allow", async () => {
  let opened = 0;
  await using proxy = await started({
    endpoints: [1, 2],
    service: { retries: { attempts: 2, on: ["connect"] } },
    upstream: {
      openSocket: () => {
        opened += 1;
        const socket = new Socket();
        queueMicrotask(() =>
          socket.destroy(Object.assign(new Error("no"), { code: "ECONNREFUSED" })),
        );
        return socket;
      },
    },
  });
  const caller = await proxy.caller();
  // Nothing was sent, so any method may be tried elsewhere and again.
  caller.send(POST);
  for (const _ of [1, 2]) await passBackoff(proxy);
  assert.match(await caller.until(ANSWER), /^HTTP\/1.1 502 /);
  assert.equal(opened, 4);
});

test("retries stop at their budget", async () => {
  const retries = { attempts: 1, budget: { share: 0, floor: 1 } };
  await using proxy = await started({ service: { retries } });
  const one = await sent(proxy, GET);
  const two = await sent(proxy, GET);
  one.service.end();
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  two.service.end();
  assert.match(await two.caller.until(ANSWER), /^HTTP\/1.1 502 /);
  proxy.timers.runAll();
  const again = await proxy.service.accepted();
  await again.until("\r\n\r\n");
  again.send(OK);
  await one.caller.until("ok");
  // The place in the budget is free again.
  two.caller.send(GET);
  await again.until("\r\n\r\n");
  again.send(BUSY);
  await passBackoff(proxy);
  await again.until("\r\n\r\n");
  const { body } = proxy.metrics.render();
  assert.match(body, /sallyport_upstream_retries_total{service="test",outcome="budget-spent"} 1\n/);
});

test("the back-off doubles, with jitter, and never outlives the exchange", async () => {
  await using proxy = await started({
    service: { retries: { attempts: 10, backoff: "2s" } },
    request: { responseTimeoutMs: 60_000, idleTimeoutMs: 60_000, totalTimeoutMs: 10_000 },
  });
  const caller = await proxy.caller();
  caller.send(GET);
  for (const delay of [1000, 2000, undefined]) {
    const service = await proxy.service.accepted();
    await service.until("\r\n\r\n");
    if (delay === undefined) proxy.clock.advance(7000);
    service.end();
    if (delay === undefined) break;
    while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(proxy.timers.delays, [delay]);
    proxy.timers.runAll();
  }
  // The next back-off is 4 s, and 3 s are left.
  assert.match(await caller.until(ANSWER), /^HTTP\/1.1 502 /);
  assert.deepEqual(proxy.timers.delays, []);
});

test("a caller that goes while a retry waits calls it off", async () => {
  await using proxy = await started({ service: { retries: {} } });
  const { caller, service } = await sent(proxy, GET);
  service.end();
  while (proxy.timers.delays.length === 0) await new Promise((resolve) => setImmediate(resolve));
  caller.destroy();
  assert.equal((await proxy.outcome(0)).end, "caller-gone");
  assert.deepEqual(proxy.timers.delays, []);
  assert.equal(proxy.service.connections.length, 1);
});

test("requests beyond the breaker wait their turn; beyond the line they are answered 503", async () => {
  await using proxy = await started({ service: { breaker: { requests: 1, queue: 2 } } });
  const { caller, service } = await sent(proxy, GET);
  const waiting: RawPeer[] = [];
  for (const path of ["/a", "/b"]) {
    const next = await proxy.caller();
    next.send(GET.replace("/", path));
    while (proxy.exchanges.length < 2 + waiting.length) await proxy.changed();
    waiting.push(next);
  }
  const beyond = await proxy.caller();
  beyond.send(GET);
  assert.match(await beyond.until(ANSWER), /^HTTP\/1.1 503 [^]*overloaded$/);
  service.send(OK);
  await caller.until("ok");
  for (const [index, path] of ["/a", "/b"].entries()) {
    assert.match(await service.until("\r\n\r\n"), new RegExp(`^GET ${path} `));
    service.send(OK);
    await waiting[index]?.until("ok");
  }
  assert.equal(proxy.service.connections.length, 1);
});

test("whoever waits too long is answered 503, and whoever goes leaves the line", async () => {
  await using proxy = await started({
    service: { breaker: { requests: 1, queue: 5, queueTimeout: "700ms" } },
  });
  const { caller, service } = await sent(proxy, GET);
  const patient = await proxy.caller();
  patient.send(GET);
  while (proxy.timers.delays.length < 1) await proxy.changed();
  const gone = await proxy.caller();
  gone.send(GET);
  while (proxy.timers.delays.length < 2) await proxy.changed();
  assert.deepEqual(proxy.timers.delays, [700, 700]);
  gone.destroy();
  assert.equal((await proxy.outcome(0)).end, "caller-gone");
  assert.deepEqual(proxy.timers.delays, [700]);
  proxy.timers.runAll();
  assert.match(await patient.until(ANSWER), /^HTTP\/1.1 503 [^]*overloaded$/);
  service.send(OK);
  await caller.until("ok");
  assert.equal(proxy.service.connections.length, 1);
});

test("an endpoint that has as much as it may is passed over", async () => {
  await using other = new ManualService();
  await other.listen();
  await using first = new ManualService();
  await first.listen();
  await using proxy = await started({
    endpoints: [first.port, other.port],
    service: { breaker: { requests: 1 } },
  });
  const callers = [await proxy.caller(), await proxy.caller(), await proxy.caller()];
  callers[0]?.send(GET);
  const one = await first.accepted();
  await one.until("\r\n\r\n");
  callers[1]?.send(GET);
  const two = await other.accepted();
  await two.until("\r\n\r\n");
  // In turn it would be the first one's; only the second has room.
  two.send(OK);
  await callers[1]?.until("ok");
  callers[2]?.send(GET);
  await two.until("\r\n\r\n");
});

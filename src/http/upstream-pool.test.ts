import assert from "node:assert/strict";
import { connect, Socket } from "node:net";
import { test } from "node:test";
import { Loopback, type LoopbackOptions, ManualService, type RawPeer } from "./loopback.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

function started(options: LoopbackOptions = {}): Promise<Loopback> {
  return new Loopback(options).start();
}

/** One exchange through a connection of the service that is then idle. */
async function idleConnection(
  proxy: Loopback,
): Promise<{ readonly caller: RawPeer; readonly service: RawPeer }> {
  const caller = await proxy.caller();
  caller.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  service.send(OK);
  await caller.until("\r\n\r\n");
  return { caller, service };
}

test("the connection used last is used first", async () => {
  await using proxy = await started();
  const callers = [await proxy.caller(), await proxy.caller()];
  const services: RawPeer[] = [];
  for (const caller of callers) {
    caller.send(GET);
    const service = await proxy.service.accepted();
    await service.until("\r\n\r\n");
    services.push(service);
  }
  for (const [index, service] of services.entries()) {
    service.send(OK);
    await callers[index]?.until("\r\n\r\n");
  }
  callers[0]?.send(GET);
  await services[1]?.until("\r\n\r\n");
  assert.equal(proxy.service.connections.length, 2);
});

test("an idle connection is closed in time, and not before", async () => {
  await using proxy = await started({ service: { keepAlive: "4s" } });
  const { caller, service } = await idleConnection(proxy);
  proxy.pass(3999);
  caller.send(GET);
  await service.until("\r\n\r\n");
  service.send(OK);
  await caller.until("\r\n\r\n");
  proxy.pass(4001);
  await service.untilEnd();
  caller.send(GET);
  await (await proxy.service.accepted()).until("\r\n\r\n");
});

test("an idle connection that the service closed is not used", async () => {
  await using proxy = await started();
  const { caller, service } = await idleConnection(proxy);
  service.end();
  await service.untilClosed();
  caller.send(GET);
  await (await proxy.service.accepted()).until("\r\n\r\n");
});

test("an idle connection on which the service speaks is closed", async () => {
  await using proxy = await started();
  const { caller, service } = await idleConnection(proxy);
  service.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  await service.untilEnd();
  caller.send(GET);
  const fresh = await proxy.service.accepted();
  await fresh.until("\r\n\r\n");
  fresh.send(OK);
  assert.doesNotMatch(await caller.until("\r\n\r\n"), /evil/);
});

test("a request that met the closing of an idle connection is sent again, once", async () => {
  await using proxy = await started();
  const { caller, service } = await idleConnection(proxy);
  caller.send(GET);
  await service.until("\r\n\r\n");
  service.destroy();
  const fresh = await proxy.service.accepted();
  assert.equal(await fresh.until("\r\n\r\n"), "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  fresh.destroy();
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
  assert.equal(proxy.service.connections.length, 2);
  assert.equal(proxy.outcomes.at(-1)?.end, "upstream-unreachable");
});

test("a request that may have been acted on is not sent again", async (t) => {
  const cases: [name: string, request: string, answer: string][] = [
    ["POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ""],
    ["PUT with a body", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", ""],
    ["PATCH", "PATCH / HTTP/1.1\r\nHost: x\r\n\r\n", ""],
    ["GET, answer begun", GET, "HTTP/1.1 2"],
  ];
  for (const [name, request, answer] of cases) {
    await t.test(name, async () => {
      await using proxy = await started();
      const { caller, service } = await idleConnection(proxy);
      caller.send(request);
      await service.until("\r\n\r\n");
      service.send(answer);
      service.end();
      assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
      assert.equal(proxy.service.connections.length, 1);
    });
  }
});

test("endpoints are taken in turn", async () => {
  await using one = new ManualService();
  await using two = new ManualService();
  await one.listen();
  await two.listen();
  await using proxy = await started({ endpoints: [one.port, two.port] });
  for (const service of [one, two, one, two]) {
    const caller = await proxy.caller();
    caller.send(GET);
    await (await service.accepted()).until("\r\n\r\n");
  }
});

test("an endpoint that refuses is passed over, and tried again after its rest", async () => {
  const port = await unusedPort();
  await using good = new ManualService();
  await good.listen();
  await using proxy = await started({ endpoints: [port, good.port] });
  for (let round = 0; round < 3; round += 1) {
    const caller = await proxy.caller();
    caller.send(GET);
    await (await good.accepted()).until("\r\n\r\n");
  }
  await using back = new ManualService();
  await back.listen(port);
  proxy.pass(1500);
  const during = await proxy.caller();
  during.send(GET);
  await (await good.accepted()).until("\r\n\r\n");
  proxy.pass(1000);
  const after = await proxy.caller();
  after.send(GET);
  await (await back.accepted()).until("\r\n\r\n");
});

test("where every endpoint refuses, the answer is 502, and resting ones are tried all the same", async () => {
  const ports = [await unusedPort(), await unusedPort()];
  await using proxy = await started({ endpoints: ports });
  const caller = await proxy.caller();
  for (let round = 0; round < 2; round += 1) {
    caller.send(GET);
    assert.match(await caller.until(/\r\n\r\n[^]+/), /^HTTP\/1.1 502 [^]*upstream-unreachable$/);
  }
  await using back = new ManualService();
  await back.listen(ports[1]);
  caller.send(GET);
  await (await back.accepted()).until("\r\n\r\n");
});

test("a connection that takes too long to open moves on to the next endpoint, then 504", async () => {
  const opened: number[] = [];
  await using service = new ManualService();
  await service.listen();
  await using proxy = await started({
    endpoints: [1, 2],
    upstream: {
      openSocket: ({ port }) => {
        opened.push(port);
        return new Socket();
      },
    },
  });
  const caller = await proxy.caller();
  caller.send(GET);
  while (proxy.exchanges.length === 0) await proxy.changed();
  proxy.pass(1001);
  assert.deepEqual(opened, [1, 2]);
  proxy.pass(1001);
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 504 /);
  assert.equal((await proxy.outcome(0)).end, "upstream-timeout");
});

test("requests beyond the connections allowed are answered 503", async () => {
  await using proxy = await started({ service: { connections: 1 } });
  const first = await proxy.caller();
  first.send(GET);
  const service = await proxy.service.accepted();
  await service.until("\r\n\r\n");
  const second = await proxy.caller();
  second.send(GET);
  assert.match(await second.until("\r\n\r\n"), /^HTTP\/1.1 503 /);
  assert.equal((await proxy.outcome(0)).end, "overloaded");
  service.send(OK);
  await first.until("\r\n\r\n");
  second.send(GET);
  await service.until("\r\n\r\n");
});

test("close() closes idle connections now and others as they end", async () => {
  await using proxy = await started();
  const idle = await idleConnection(proxy);
  const busy = await proxy.caller();
  busy.send(GET);
  await idle.service.until("\r\n\r\n");
  const other = await idleConnection(proxy);
  proxy.upstream.close();
  await other.service.untilEnd();
  assert.equal(idle.service.ended, false);
  idle.service.send(OK);
  await busy.until("\r\n\r\n");
  await idle.service.untilEnd();
});

test("nothing is left open when everything has been closed", async () => {
  const proxy = await started();
  await idleConnection(proxy);
  const busy = await proxy.caller();
  busy.send(GET);
  await proxy[Symbol.asyncDispose]();
  assert.equal(proxy.deadlines.size, 0);
  assert.equal(proxy.listener.connections, 0);
  await assert.rejects(
    new Promise((resolve, reject) => {
      connect(proxy.listener.address.port, "127.0.0.1", () => resolve(undefined)).on(
        "error",
        reject,
      );
    }),
  );
});

/** A port that nothing listens on. */
async function unusedPort(): Promise<number> {
  await using service = new ManualService();
  await service.listen();
  return service.port;
}
